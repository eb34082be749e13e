// Package cuda computes the kernels of package device on an NVIDIA GPU, in float32. It is built
// with -tags cuda, by cgo with gcc alone: the driver, cuBLAS and NVRTC are opened at run time, so
// that neither headers nor libraries of CUDA are needed to build, and a machine without them gets
// one clear error. The runtime library (libcudart) is not among them: kernels that NVRTC made are
// loaded through the driver's own interface in any case, which does the rest too and is there
// wherever there is a driver. In other builds Open fails and says why.
//
// Reading order:
//
//	driver.h      what Go calls, in C: thin functions over the three libraries
//	library.go    where the libraries are looked for
//	device.go     the device: its thread, its failures, transfers
//	submit.go     commands, and the three ways in which they are run
//	memory.go     the allocator
//	compile.go    kernels/*.cu, compiled by NVRTC for the device at hand and kept on disk
//	elementwise.go … adam.go, beside kernels/elementwise.cu … adam.cu: the kernels
//
// # How a step runs
//
// Methods of the device compute nothing: each appends a command, a kernel with its arguments, to a
// submission. What comes from the host (a batch, the rows to gather, the seed of a dropout, the
// constants of Adam) is written to the submission's pinned arena, which has a twin on the device
// at a fixed address, and kernels read it there. So two steps of one shape, which find their
// tensors in the same places (Tape.Reset), differ in the arena's contents alone, and their
// commands are the same words.
//
// Submit, called at the end of a step, hands the submission to the device's OS thread. A list of
// commands is run in one of three ways: seen for the first time, kernel by kernel, each waited
// for, so that a kernel that fails has a name; seen for the second time, it is captured as a CUDA
// graph; from then on the graph is launched, one call for a whole step. There are two submissions:
// while the GPU computes one, the host writes the other, and its arena is copied beside the
// kernels.
//
// All kernels run on one stream. Memory given back can therefore be handed out again at once: what
// will write to it comes later.
package cuda
