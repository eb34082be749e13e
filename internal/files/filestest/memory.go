package filestest

import "runtime"

// Allocated returns the bytes that f allocates, garbage included: what reading a file costs.
func Allocated(f func()) int64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return int64(after.TotalAlloc - before.TotalAlloc)
}
