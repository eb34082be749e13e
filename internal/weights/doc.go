// Package weights reads and writes files of named tensors. It reads safetensors and state dicts
// that torch.save wrote (.pth, .pt, .bin), both zip archives and the format before PyTorch 1.6; it
// writes safetensors. Files are mapped into memory: opening reads the header alone, and the
// elements of a tensor are converted when they are read.
//
// Files are not trusted: nothing in them is executed, and every offset is checked against the size
// of the file before use.
//
// Reading order: weights.go, dtype.go, safetensors.go, torch.go, legacy.go, index.go, write.go.
package weights
