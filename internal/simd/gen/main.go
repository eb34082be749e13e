// Command gen writes the assembly of package simd for one instruction set. It is a module of its
// own so that the main module does not depend on avo. Run it with go generate in the parent
// directory.
package main

import (
	"flag"
	"log"

	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/reg"
)

func main() {
	log.SetFlags(0)
	name := flag.String("isa", "", "instruction set to generate for: avx512 or avx2")
	flag.Parse()
	var v isa
	switch *name {
	case "avx512":
		v = isa{name: *name, lanes: 16, rows: 14}
	case "avx2":
		v = isa{name: *name, lanes: 8, rows: 6}
	default:
		log.Fatalf("gen: -isa: expected avx512 or avx2, found %q", *name)
	}
	if v.wide() {
		identification()
	}
	v.products()
	if v.wide() {
		for columns := 1; columns <= narrowColumns; columns++ {
			v.narrow(columns)
		}
	}
	v.packing()
	v.elementwise()
	v.rowwise()
	v.recurrent()
	v.scans()
	build.Generate()
}

// identification writes a function that executes CPUID.
func identification() {
	build.TEXT("cpuid", build.NOSPLIT, "func(leaf uint32) (a, b, c, d uint32)")
	build.Doc("cpuid executes CPUID for a leaf without subleaves.")
	build.Load(build.Param("leaf"), reg.EAX)
	build.XORL(reg.ECX, reg.ECX)
	build.CPUID()
	for i, r := range []reg.Register{reg.EAX, reg.EBX, reg.ECX, reg.EDX} {
		build.Store(r, build.ReturnIndex(i))
	}
	build.RET()
}
