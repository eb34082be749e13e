// Package cuda computes the kernels of package device on an NVIDIA GPU, in float32. The build tag
// cuda enables it. It needs cgo and gcc, but no headers and no libraries of CUDA, since it opens
// the driver, cuBLAS and NVRTC at run time; a machine without them gets one clear error. It does
// not use the runtime library (libcudart): kernels that NVRTC compiles are loaded through the
// driver's interface in any case, and that interface has all other functions too. In builds
// without the tag, Open returns an error that tells how to build with CUDA.
//
// Reading order:
//
//	driver.h      the C functions that Go calls: thin functions over the three libraries
//	library.go    the search for the libraries
//	device.go     the device: its thread, its failures, transfers
//	submit.go     commands, and the three ways to run them
//	memory.go     the allocator
//	compile.go    NVRTC compiles kernels/*.cu for the device; the result is cached on disk
//	elementwise.go … adam.go with kernels/elementwise.cu … adam.cu: the kernels
//
// # How a step runs
//
// The methods of the device compute nothing. Each appends a command, which is a kernel with its
// arguments, to a submission. Data from the host (a batch, the rows to gather, the seed of
// dropout, the constants of Adam) is written to the submission's arena in pinned memory. The arena
// has a copy on the device at a fixed address, which the kernels read. So two steps with equal
// shapes, whose tensors have the same addresses because of Tape.Reset, differ only in the contents
// of the arena: their commands are identical words.
//
// Submit, at the end of a step, sends the submission to the device's OS thread. The thread runs a
// list of commands in one of three ways. The first time, it runs kernel by kernel and waits for
// each, so that an error names the kernel that failed. The second time, it captures the list as a
// CUDA graph. From then on it launches the graph, one call for the entire step. There are two
// submissions: while the GPU runs one, the host writes the other, whose arena is copied to the
// device at the same time.
//
// All kernels run on one stream. Recycled memory can therefore be used again immediately: the
// kernels that write to it run later than those that read it.
package cuda
