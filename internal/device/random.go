package device

// Keep reports whether dropout with probability p keeps element i. The generator is counter-based:
// the mask needs no memory, is the same on every device, and does not depend on the order of
// evaluation.
func Keep(seed uint64, i int, p float64) bool {
	return float64(Hash(seed, uint64(i))>>11)*0x1p-53 >= p
}

// Hash returns 64 well-mixed bits of the pair (seed, counter). It is the output function of
// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
func Hash(seed, counter uint64) uint64 {
	z := seed + (counter+1)*0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}
