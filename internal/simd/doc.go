// Package simd has the float32 inner loops of the CPU: Go assembly for AVX-512 and for AVX2 with
// FMA, and plain Go for all other processors. Each of the three is called a path. Start with
// vector.go, row.go and [BLAS].
//
// The program in gen, a module of its own, generates the assembly, which is committed; a test
// compares the two. Each assembly kernel has a reference in plain Go with the same signature,
// which is compiled everywhere and defines what the kernel computes; a test compares these too.
package simd

//go:generate go run -C gen . -isa avx512 -pkg simd -out ../avx512_amd64.s -stubs ../avx512_amd64.go
//go:generate go run -C gen . -isa avx2 -pkg simd -out ../avx2_amd64.s -stubs ../avx2_amd64.go
