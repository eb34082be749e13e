package simd

import "slices"

var avx512Product = product{
	lanes: 16, shift: 4, rows: 14, short: 14, masked: true,
	packStride: 1, packFromRows: 56, packStrips: 4,
	kernels: [][]kernel{
		{avx512Product1x1, avx512Product1x2, avx512Product1x3, avx512Product1x4,
			avx512Product1x5, avx512Product1x6, avx512Product1x7, avx512Product1x8},
		{avx512Product2x1, avx512Product2x2, avx512Product2x3, avx512Product2x4,
			avx512Product2x5, avx512Product2x6},
		{avx512Product3x1, avx512Product3x2, avx512Product3x3, avx512Product3x4,
			avx512Product3x5},
		{avx512Product4x1, avx512Product4x2, avx512Product4x3, avx512Product4x4},
		{avx512Product5x1, avx512Product5x2, avx512Product5x3, avx512Product5x4},
		{avx512Product6x1, avx512Product6x2, avx512Product6x3, avx512Product6x4},
		{avx512Product7x1, avx512Product7x2},
		{avx512Product8x1, avx512Product8x2},
		{avx512Product9x1, avx512Product9x2},
		{avx512Product10x1, avx512Product10x2},
		{avx512Product11x1, avx512Product11x2},
		{avx512Product12x1, avx512Product12x2},
		{avx512Product13x1, avx512Product13x2},
		{avx512Product14x1, avx512Product14x2},
	},
	narrow: []narrow{avx512Narrow1, avx512Narrow2, avx512Narrow3, avx512Narrow4,
		avx512Narrow5, avx512Narrow6},
	pack:      [2]packer{avx512Pack1, avx512Pack2},
	transpose: avx512Transpose,
}

// aheadProduct is avx512Product for full-width cores. Its kernels load B and the next tile of A
// ahead, so these need packing only where many tiles read B, or if the numbers of a column share a
// set of the first cache, at strides of 4 KiB. If sums are short, tiles of at most 10 rows leave
// room in the core for the beginning of the next tile; if they are very short, tiles of 6 rows and
// 4 vectors, which load fewer numbers.
var aheadProduct = ahead(avx512Product)

func ahead(p product) product {
	p.packStride, p.packFromRows, p.packLateRows = 1024, 112, 480
	p.packStrips, p.short, p.shortest = 8, 10, 6
	p.kernels = slices.Clone(p.kernels)
	for i, k := range []kernel{
		avx512Ahead6x2, avx512Ahead7x2, avx512Ahead8x2, avx512Ahead9x2, avx512Ahead10x2,
		avx512Ahead11x2, avx512Ahead12x2, avx512Ahead13x2, avx512Ahead14x2,
	} {
		p.kernels[5+i] = slices.Clone(p.kernels[5+i])
		p.kernels[5+i][1] = k
	}
	return p
}

var avx2Product = product{
	lanes: 8, shift: 3, rows: 6, short: 6, packStride: 1, packFromRows: 56, packStrips: 4,
	kernels: [][]kernel{
		{avx2Product1x1, avx2Product1x2}, {avx2Product2x1, avx2Product2x2},
		{avx2Product3x1, avx2Product3x2}, {avx2Product4x1, avx2Product4x2},
		{avx2Product5x1, avx2Product5x2}, {avx2Product6x1, avx2Product6x2},
	},
	pack:      [2]packer{avx2Pack1, avx2Pack2},
	transpose: avx2Transpose,
}
