package simd

var avx512Product = product{
	lanes: 16, rows: 14, masked: true,
	kernels: [][2]kernel{
		{avx512Product1x1, avx512Product1x2}, {avx512Product2x1, avx512Product2x2},
		{avx512Product3x1, avx512Product3x2}, {avx512Product4x1, avx512Product4x2},
		{avx512Product5x1, avx512Product5x2}, {avx512Product6x1, avx512Product6x2},
		{avx512Product7x1, avx512Product7x2}, {avx512Product8x1, avx512Product8x2},
		{avx512Product9x1, avx512Product9x2}, {avx512Product10x1, avx512Product10x2},
		{avx512Product11x1, avx512Product11x2}, {avx512Product12x1, avx512Product12x2},
		{avx512Product13x1, avx512Product13x2}, {avx512Product14x1, avx512Product14x2},
	},
	pack:      [2]packer{avx512Pack1, avx512Pack2},
	transpose: avx512Transpose,
}

var avx2Product = product{
	lanes: 8, rows: 6,
	kernels: [][2]kernel{
		{avx2Product1x1, avx2Product1x2}, {avx2Product2x1, avx2Product2x2},
		{avx2Product3x1, avx2Product3x2}, {avx2Product4x1, avx2Product4x2},
		{avx2Product5x1, avx2Product5x2}, {avx2Product6x1, avx2Product6x2},
	},
	pack:      [2]packer{avx2Pack1, avx2Pack2},
	transpose: avx2Transpose,
}
