//go:build !amd64

package simd

// supported returns the sets that the CPU supports.
func supported() []set { return []set{{path: generic, vector: &plainVector}} }
