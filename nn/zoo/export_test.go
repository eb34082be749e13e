package zoo

// Access for tests to the cache of a frozen text encoder.

func (e *TextEncoder) Cached() int             { return len(e.cache) }
func (e *TextEncoder) SetCacheSpace(bytes int) { e.cacheSpace = bytes }
func (e *TextEncoder) RemoveBERT()             { e.bert = nil }

func (e *TextEncoder) Compute(features []float32, in *Input, rows []int) {
	e.compute(features, in, rows)
}

// CacheKey is the key of a sequence in the cache.
var CacheKey = cacheKey
