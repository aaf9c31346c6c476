package jwks

// Bounds of the memory for documents.
const (
	// maxCachedBytes limits the size of what is remembered, estimated.
	maxCachedBytes = 32 << 20
	// documentOverhead is how much larger a document may be in memory than its text: a
	// list of short strings takes four times its text.
	documentOverhead = 4
)

// bounded is a map with a limited number of entries and a limited total size. If it is full,
// an entry at random makes place. The zero value cannot be used.
type bounded[K comparable, V any] struct {
	maxEntries, maxSize int
	size                int
	entries             map[K]sized[V]
}

type sized[V any] struct {
	value V
	size  int
}

func newBounded[K comparable, V any](maxEntries, maxSize int) bounded[K, V] {
	return bounded[K, V]{maxEntries: maxEntries, maxSize: maxSize, entries: map[K]sized[V]{}}
}

func (b *bounded[K, V]) get(key K) (V, bool) {
	entry, ok := b.entries[key]
	return entry.value, ok
}

// put adds or replaces an entry. One that is larger than the limit is not added.
func (b *bounded[K, V]) put(key K, value V, size int) {
	b.remove(key)
	if size > b.maxSize {
		return
	}
	for other := range b.entries {
		if len(b.entries) < b.maxEntries && b.size+size <= b.maxSize {
			break
		}
		b.remove(other)
	}
	b.entries[key] = sized[V]{value, size}
	b.size += size
}

func (b *bounded[K, V]) remove(key K) {
	b.size -= b.entries[key].size
	delete(b.entries, key)
}
