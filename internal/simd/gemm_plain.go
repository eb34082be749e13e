package simd

import (
	"math/bits"
	"unsafe"
)

// plainProduct returns the references of the product's kernels, for any number of lanes and rows.
// They define what the assembly computes, and tests also run the product with them.
func plainProduct(lanes, rows int) product {
	p := product{lanes: lanes, shift: bits.TrailingZeros(uint(lanes)), rows: rows,
		short: max(1, rows/2), shortest: 1, packFromRows: 56, packStride: 1, packStrips: 2,
		pack:      [2]packer{plainPack(lanes, lanes), plainPack(2*lanes, lanes)},
		transpose: plainTranspose(lanes)}
	for n := 1; n <= lanes/2; n++ {
		p.narrow = append(p.narrow, plainNarrow(n, lanes))
	}
	for r := 1; r <= rows; r++ {
		var kernels []kernel
		for width := 1; width <= max(2, 6-2*r); width++ {
			kernels = append(kernels, plainKernel(r, width*lanes, lanes))
		}
		p.kernels = append(p.kernels, kernels)
	}
	return p
}

// at returns the address of the number n positions after *x.
func at(x *float32, n int) *float32 { return (*float32)(unsafe.Add(unsafe.Pointer(x), 4*n)) }

func plainKernel(rows, cols, lanes int) kernel {
	return func(k int, a *float32, rs, cs int, b *float32, ldb int, c *float32, ldc, tail, tiles,
		nextA, nextB, nextC, ahead int, alpha, beta float32) {
		for t := range tiles {
			a, b, c := at(a, t*nextA), at(b, t*nextB), at(c, t*nextC)
			for i := range rows {
				for j := range cols - lanes + tail {
					var sum float32
					for p := range k {
						sum += *at(a, i*rs+p*cs) * *at(b, p*ldb+j)
					}
					sum *= alpha
					if beta != 0 {
						sum += beta * *at(c, i*ldc+j)
					}
					*at(c, i*ldc+j) = sum
				}
			}
		}
	}
}

func plainNarrow(columns, lanes int) narrow {
	return func(k int, a *float32, rs int, b *float32, ldb int, c *float32, ldc, second, skip1,
		skip2 int, alpha, beta float32) {
		group := func(first, skip int) {
			if skip < lanes {
				plainKernel(lanes-skip, columns, columns)(k, at(a, (first+skip)*rs), rs, 1, b, ldb,
					at(c, (first+skip)*ldc), ldc, columns, 1, 0, 0, 0, 0, alpha, beta)
			}
		}
		group(0, skip1)
		group(second, skip2)
	}
}

func plainPack(cols, lanes int) packer {
	return func(k, strips int, src *float32, ld, step int, dst *float32, size, tail int) {
		for p := range k {
			for s := range strips {
				for j := range cols {
					var x float32
					if j < cols-lanes+tail {
						x = *at(src, p*ld+s*step+j)
					}
					*at(dst, s*size+p*cols+j) = x
				}
			}
		}
	}
}

func plainTranspose(lanes int) transposer {
	return func(k int, src *float32, rows *int, dst *float32, ld int) {
		for i, from := range unsafe.Slice(rows, lanes) {
			for p := range k {
				*at(dst, p*ld+i) = *at(src, from+p)
			}
		}
	}
}
