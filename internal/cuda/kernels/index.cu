struct gather { float *y; const float *table; const int *index; whole n, width; };
KERNEL(gather, 256) {
	whole i = ITEM;
	if (i < k.n)
		k.y[i] = k.table[k.index[i / k.width] * k.width + i % k.width];
}

// scatter_add has a block for each row of x. The block of the first row that goes to a row of y adds all that go there, in order.
struct scatter_add { float *y; const float *x; const int *index; whole rows, width; };
KERNEL(scatter_add, 256) {
	__shared__ float part[8];
	int first = (int)blockIdx.x, target = k.index[first];
	float earlier = 0;
	for (int i = threadIdx.x; i < first; i += blockDim.x)
		if (k.index[i] == target)
			earlier = 1;
	if (block_max(earlier, part) > 0)
		return;
	for (whole i = first; i < k.rows; i++)
		if (k.index[i] == target)
			for (whole c = threadIdx.x; c < k.width; c += blockDim.x)
				k.y[target * k.width + c] += k.x[i * k.width + c];
}
