//go:build !(cuda && cgo && linux)

package zootest

// gpuChecks are the checks of a build with CUDA.
var gpuChecks []check
