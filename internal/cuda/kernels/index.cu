// gather writes row index[i] of table to row i of y.
struct gather { float *y; const float *table; const int *index; i64 n, width; };
KERNEL(gather, 256) {
	i64 i = GLOBAL_INDEX;
	if (i < k.n)
		k.y[i] = k.table[k.index[i / k.width] * k.width + i % k.width];
}

// scatter_add has a block for each row of x. Of the rows with the same target, the block of the
// first adds all to the target, in order.
struct scatter_add { float *y; const float *x; const int *index; i64 rows, width; };
KERNEL(scatter_add, 256) {
	__shared__ float part[8];
	int first = (int)blockIdx.x, target = k.index[first];
	float earlier = 0;
	for (int i = threadIdx.x; i < first; i += blockDim.x)
		if (k.index[i] == target)
			earlier = 1;
	if (block_max(earlier, part) > 0)
		return;
	for (i64 i = first; i < k.rows; i++)
		if (k.index[i] == target)
			for (i64 c = threadIdx.x; c < k.width; c += blockDim.x)
				k.y[target * k.width + c] += k.x[i * k.width + c];
}
