package device

// Strides returns the row-major strides of a shape.
func Strides(shape []int) []int {
	s := make([]int, len(shape))
	n := 1
	for i := len(shape) - 1; i >= 0; i-- {
		s[i] = n
		n *= shape[i]
	}
	return s
}

// Dense returns the operand of an array of the given shape without gaps.
func Dense(b Buffer, shape []int) Operand { return Operand{Buf: b, Strides: Strides(shape)} }

// Merge describes the same elements by fewer axes, but at least one: axes of length 1 are left
// out, and axes that lie one after the other in every operand become one. It returns their
// lengths, and for each operand their strides.
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
