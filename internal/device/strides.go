package device

// Strides returns the row-major strides of shape, one for each axis.
func Strides(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// Dense returns the operand of a contiguous array of the given shape at the start of b.
func Dense(b Buffer, shape []int) Operand { return Operand{Buf: b, Strides: Strides(shape)} }

// Merge describes the elements of shape by as few axes as possible, but at least one. It drops
// axes of length 1 and joins neighbouring axes that are contiguous in every operand. It returns
// the lengths of the axes and, for each operand, their strides.
func Merge(shape []int, operands ...Operand) (lengths []int, strides [][]int) {
	strides = make([][]int, len(operands))
	for axis, n := range shape {
		if n == 1 {
			continue
		}
		last := len(lengths) - 1
		merge := last >= 0
		for k, o := range operands {
			merge = merge && strides[k][last] == o.Strides[axis]*n
		}
		if merge {
			lengths[last] *= n
		} else {
			lengths = append(lengths, n)
			last++
		}
		for k, o := range operands {
			strides[k] = append(strides[k][:last], o.Strides[axis])
		}
	}
	if len(lengths) == 0 {
		lengths = []int{1}
		for k := range operands {
			strides[k] = []int{1}
		}
	}
	return lengths, strides
}
