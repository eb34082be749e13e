//go:build !amd64

package simd

// supported returns the sets that the CPU supports.
func supported() []kernelSet { return []kernelSet{{path: generic, vector: &plainVector}} }
