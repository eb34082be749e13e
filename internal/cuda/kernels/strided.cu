// Strided arrays: element (i, j, …) of a shape is at i·stride[0] + j·stride[1] + …. The host has
// merged the axes, so there are at most RANK.

// locate computes the positions of element i of a shape in two arrays.
static __device__ void locate(unsigned i, int rank, const i64 *length, const i64 *sx, const i64 *sy, i64 *x, i64 *y) {
	*x = *y = 0;
	for (int axis = rank - 1; axis > 0; axis--) {
		unsigned at = i % (unsigned)length[axis];
		i /= (unsigned)length[axis];
		*x += at * sx[axis];
		*y += at * sy[axis];
	}
	*x += i * sx[0];
	*y += i * sy[0];
}

// binary writes z = f(x, y) for n elements.
struct binary {
	float *z;
	const float *x, *y;
	i64 n, op, rank, length[RANK], sx[RANK], sy[RANK];
};

static __device__ float apply_binary(int op, float x, float y) {
	switch (op) {
	case ADD:
		return x + y;
	case SUB:
		return x - y;
	case MUL:
		return x * y;
	case DIV:
		return x / y;
	case EQUAL:
		return x == y;
	case LESS:
		return x < y;
	case MASK:
		return y != 0 ? x : -INF;
	}
	return __int_as_float(0x7fc00000); // NaN for an unknown operation
}

KERNEL(binary, 256) {
	i64 i = GLOBAL_INDEX, x, y;
	if (i >= k.n)
		return;
	locate((unsigned)i, (int)k.rank, k.length, k.sx, k.sy, &x, &y);
	k.z[i] = apply_binary((int)k.op, k.x[x], k.y[y]);
}

// copy writes y = x for n elements.
struct copy {
	float *y;
	const float *x;
	i64 n, rank, length[RANK], sy[RANK], sx[RANK];
};
KERNEL(copy, 256) {
	i64 i = GLOBAL_INDEX, x, y;
	if (i >= k.n)
		return;
	locate((unsigned)i, (int)k.rank, k.length, k.sx, k.sy, &x, &y);
	k.y[y] = k.x[x];
}

// accumulate adds to each of n positions in y all elements of x with that position, in a fixed
// order. A thread searches for the index tuples with Σ index·sy = its position. The strides sy
// descend from axis to axis, and reach[a] is the largest sum over the axes after a, so that the
// search visits few tuples where windows overlap. It visits all indices of an axis with stride 0.
struct accumulate {
	float *y;
	const float *x;
	i64 n, rank, length[RANK], sy[RANK], sx[RANK], reach[RANK];
};
KERNEL(accumulate, 256) {
	i64 rest[RANK + 1], at[RANK + 1], next[RANK], end[RANK], i = GLOBAL_INDEX;
	if (i >= k.n)
		return;
	float sum = 0;
	int axis = 0, found = 0, enter = 1;
	rest[0] = i;
	at[0] = 0;
	while (axis >= 0) {
		i64 s = k.sy[axis], left = rest[axis];
		if (enter) {
			i64 least = left - k.reach[axis]; // the smallest contribution of this axis with a solution
			next[axis] = least <= 0 ? 0 : s ? (least + s - 1) / s : k.length[axis];
			end[axis] = s ? min(k.length[axis], left / s + 1) : k.length[axis];
		}
		enter = 0;
		if (next[axis] >= end[axis]) {
			axis--;
			continue;
		}
		i64 index = next[axis]++;
		rest[axis + 1] = left - index * s;
		at[axis + 1] = at[axis] + index * k.sx[axis];
		if (axis + 1 < k.rank) {
			axis++;
			enter = 1;
		} else {
			sum += k.x[at[axis + 1]];
			found = 1;
		}
	}
	if (found)
		k.y[i] += sum;
}
