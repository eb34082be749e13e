// Package weights reads files of named tensors as they are found in the wild, one tensor at a
// time: safetensors, and what PyTorch's torch.save writes of a state dict (.pth, .pt, .bin), zip
// archives and the format before version 1.6. Files are mapped into memory, so opening costs the
// header alone, and a tensor's numbers are converted as they are read.
//
// Files are not trusted: nothing in them is executed, every offset is checked against the file's
// size before use.
//
// Reading order: weights.go, dtype.go, safetensors.go, torch.go, legacy.go.
package weights
