package simd

var avx512Vector = vector{
	exp: avx512Exp, log: avx512Log, tanh: avx512Tanh, sigmoid: avx512Sigmoid,
	gelu: avx512GELU, relu: avx512ReLU,
	geluGrad: avx512GELUGrad, reluGrad: avx512ReLUGrad,
	add: avx512Add, mul: avx512Mul, scale: avx512Scale, axpy: avx512Axpy,
	drop: avx512Drop, packSigns: avx512PackSigns, maskSigns: avx512MaskSigns,
	adam: avx512Adam, adamCompact: avx512AdamCompact,
	sum: avx512Sum, dot: avx512Dot, dot64: avx512Dot64,
	softmax: avx512Softmax, softmaxGrad: avx512SoftmaxGrad, scoreGrad: avx512ScoreGrad,
	layerNorm: avx512LayerNorm, layerNormGrad: avx512LayerNormGrad,
	lstm: avx512LSTM, lstmGrad: avx512LSTMGrad,
	scanStep: avx512ScanStep, scanState: avx512ScanState, scanStateGrad: avx512ScanStateGrad,
}

var avx2Vector = vector{
	exp: avx2Exp, log: avx2Log, tanh: avx2Tanh, sigmoid: avx2Sigmoid,
	gelu: avx2GELU, relu: avx2ReLU,
	geluGrad: avx2GELUGrad, reluGrad: avx2ReLUGrad,
	add: avx2Add, mul: avx2Mul, scale: avx2Scale, axpy: avx2Axpy,
	// AVX2 neither multiplies integers of 64 bits nor has it masks
	drop: plainDrop, packSigns: PlainPackSigns[float32], maskSigns: PlainMaskSigns[float32],
	adam: avx2Adam, adamCompact: avx2AdamCompact,
	sum: avx2Sum, dot: avx2Dot, dot64: avx2Dot64,
	softmax: avx2Softmax, softmaxGrad: avx2SoftmaxGrad, scoreGrad: avx2ScoreGrad,
	layerNorm: avx2LayerNorm, layerNormGrad: avx2LayerNormGrad,
	lstm: avx2LSTM, lstmGrad: avx2LSTMGrad,
	scanStep: avx2ScanStep, scanState: avx2ScanState, scanStateGrad: avx2ScanStateGrad,
}
