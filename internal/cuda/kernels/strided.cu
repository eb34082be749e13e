// Strided arrays: element (i, j, …) of a shape lies at i·stride[0] + j·stride[1] + …; axes were merged, so there are at most RANK.

// find tells where element i of a shape lies in two arrays.
static __device__ void find(unsigned i, int rank, const whole *length, const whole *sx, const whole *sy, whole *x, whole *y) {
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

struct binary {
	float *z;
	const float *x, *y;
	whole n, op, rank, length[RANK], sx[RANK], sy[RANK];
};

static __device__ float combine(int op, float x, float y) {
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
	return __int_as_float(0x7fc00000); // NaN: there is no such operation
}

KERNEL(binary, 256) {
	whole i = ITEM, x, y;
	if (i >= k.n)
		return;
	find((unsigned)i, (int)k.rank, k.length, k.sx, k.sy, &x, &y);
	k.z[i] = combine((int)k.op, k.x[x], k.y[y]);
}

struct copy {
	float *y;
	const float *x;
	whole n, rank, length[RANK], sy[RANK], sx[RANK];
};
KERNEL(copy, 256) {
	whole i = ITEM, x, y;
	if (i >= k.n)
		return;
	find((unsigned)i, (int)k.rank, k.length, k.sx, k.sy, &x, &y);
	k.y[y] = k.x[x];
}

// accumulate adds to each of n positions in y all elements of x that belong there, in one order: a thread searches for the index tuples with
// Σ index·sy = its position. The strides sy fall from axis to axis, and reach[a] is the farthest that the axes after a lead together,
// so that few tuples have to be tried where windows overlap. An axis of stride 0 is gone through whole.
struct accumulate {
	float *y;
	const float *x;
	whole n, rank, length[RANK], sy[RANK], sx[RANK], reach[RANK];
};
KERNEL(accumulate, 256) {
	whole rest[RANK + 1], at[RANK + 1], next[RANK], end[RANK], i = ITEM;
	if (i >= k.n)
		return;
	float sum = 0;
	int axis = 0, found = 0, enter = 1;
	rest[0] = i;
	at[0] = 0;
	while (axis >= 0) {
		whole s = k.sy[axis], left = rest[axis];
		if (enter) {
			whole beyond = left - k.reach[axis]; // what this axis must cover at least
			next[axis] = beyond <= 0 ? 0 : s ? (beyond + s - 1) / s : k.length[axis];
			end[axis] = s ? min(k.length[axis], left / s + 1) : k.length[axis];
		}
		enter = 0;
		if (next[axis] >= end[axis]) {
			axis--;
			continue;
		}
		whole index = next[axis]++;
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
