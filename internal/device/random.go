package device

import "math"

// Keep reports whether dropout with probability p keeps element i. The generator is counter-based:
// the mask needs no memory, is the same on every device, and does not depend on the order of
// evaluation.
func Keep(seed uint64, i int, p float64) bool {
	return Hash(seed, uint64(i))>>11 >= KeepLimit(p)
}

// KeepLimit returns ⌈p·2⁵³⌉: Keep keeps an element if the first 53 bits of its Hash are not below.
func KeepLimit(p float64) uint64 { return uint64(math.Ceil(p * 0x1p53)) }

// Hash returns 64 well-mixed bits of the pair (seed, counter). It is the output function of
// SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
func Hash(seed, counter uint64) uint64 {
	z := HashState(seed, counter)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// HashState returns the state of SplitMix64 whose output is the Hash.
func HashState(seed, counter uint64) uint64 { return seed + (counter+1)*0x9e3779b97f4a7c15 }
