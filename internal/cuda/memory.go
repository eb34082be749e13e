//go:build cuda && cgo && linux

package cuda

/*
#include "driver.h"
*/
import "C"

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/seed-6655bf3b/recap/internal/device"
)

// smallBlock is the largest size in bytes of a block that is part of a slab. A larger block is
// allocated by the driver. It is a variable so that tests can set it to 0, for which the emulator
// guards every block.
var smallBlock = 8 << 20

// alignment is that of blocks, in bytes. It is a variable so that tests can set it to the size of
// one number, for which the emulator guards the end of every buffer.
var alignment = 512

const slabBytes = 64 << 20

// memory is a caching allocator. It keeps the blocks of buffers that the garbage collector freed,
// by size, and reuses them: each step gets the memory of the step before. A block can be reused
// while kernels still read it, since all kernels run on one stream, in order.
type memory struct {
	device *Device

	mu       sync.Mutex
	blocks   map[int][]block // free blocks by size
	slab     block           // the unused part of the newest slab
	reserved int             // bytes allocated by the driver
	free     int             // bytes in blocks
}

// A block is memory on the device.
type block struct {
	address uint64
	bytes   int
	inSlab  bool // part of a slab
}

// Alloc implements device.Device. If there is not enough memory, the device fails.
func (d *Device) Alloc(n int) device.Buffer {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.alloc(n)
}

// alloc returns a buffer. The caller has locked d.mu.
func (d *Device) alloc(n int) *buffer {
	b := &buffer{device: d, n: n}
	if n == 0 {
		return b
	}
	m, err := d.memory.alloc((4*n + alignment - 1) &^ (alignment - 1))
	if err != nil {
		d.fail(err)
		return b
	}
	b.address = m.address
	runtime.AddCleanup(b, d.memory.recycle, m)
	return b
}

// alloc returns a block of the given size.
func (m *memory) alloc(bytes int) (b block, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if same := m.blocks[bytes]; len(same) > 0 {
		b, m.blocks[bytes] = same[len(same)-1], same[:len(same)-1]
		m.free -= bytes
		return b, nil
	}
	if bytes > smallBlock {
		return m.reserve(bytes)
	}
	if m.slab.bytes < bytes {
		m.addFree(m.slab)
		if m.slab, err = m.reserve(slabBytes); err != nil {
			m.slab = block{}
			return b, err
		}
	}
	b = block{m.slab.address, bytes, true}
	m.slab = block{m.slab.address + uint64(bytes), m.slab.bytes - bytes, true}
	return b, nil
}

// recycle adds the block of an unreachable buffer to the free blocks.
func (m *memory) recycle(b block) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.addFree(b)
}

// addFree adds a block to the free blocks. The caller has locked m.mu.
func (m *memory) addFree(b block) {
	if b.bytes == 0 {
		return
	}
	if m.blocks == nil {
		m.blocks = map[int][]block{}
	}
	m.blocks[b.bytes] = append(m.blocks[b.bytes], b)
	m.free += b.bytes
}

// reserve allocates memory with the driver. If the driver has none, it releases the free blocks
// and tries again.
func (m *memory) reserve(bytes int) (block, error) {
	d := m.device
	if err := d.failed(); err != nil {
		return block{}, err
	}
	var address C.uint64_t
	var code C.int
	d.do(func() { code = C.memory_alloc(&address, C.size_t(bytes)) })
	if code == outOfMemory {
		d.flushAdam() // commands that are not yet submitted may read a free block
		d.submit()
		d.do(func() {
			if m.release() {
				code = C.memory_alloc(&address, C.size_t(bytes))
			}
		})
	}
	if code == outOfMemory {
		return block{}, m.outOfMemoryError(bytes)
	}
	if err := check(fmt.Sprintf("%s: %s of memory", d.name, mebibytes(bytes)), code); err != nil {
		return block{}, err
	}
	m.reserved += bytes
	return block{uint64(address), bytes, false}, nil
}

const outOfMemory = 2 // CUDA_ERROR_OUT_OF_MEMORY

// release waits for all submitted commands, returns the free blocks to the driver, and reports
// whether there were any. It runs on the device's thread.
func (m *memory) release() bool {
	if C.stream_wait(m.device.gpu) != 0 {
		return false
	}
	before := m.reserved
	for bytes, blocks := range m.blocks {
		var kept []block
		for _, b := range blocks {
			if b.inSlab || C.memory_free(C.uint64_t(b.address)) != 0 {
				kept = append(kept, b)
				continue
			}
			m.reserved, m.free = m.reserved-bytes, m.free-bytes
		}
		m.blocks[bytes] = kept
	}
	return m.reserved < before
}

// outOfMemoryError returns the error of a failed allocation.
func (m *memory) outOfMemoryError(bytes int) error {
	var available, total C.size_t
	m.device.do(func() { C.memory_info(&available, &total) })
	return fmt.Errorf("cuda: %s: out of memory: tried to allocate %s; %s are reserved, of "+
		"which %s are free, and the device has %s free of %s; "+
		"reduce train.batch, or use a smaller model (--preset quick)",
		m.device.name, mebibytes(bytes), mebibytes(m.reserved), mebibytes(m.free),
		mebibytes(int(available)), mebibytes(int(total)))
}

// counts returns numbers of bytes: reserved by this allocator, on the device, and free on it.
func (m *memory) counts() (reserved, total, available int) {
	var a, t C.size_t
	m.device.do(func() { C.memory_info(&a, &t) })
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.reserved, int(t), int(a)
}

func mebibytes(n int) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// scratchFor returns the address of scratch memory for n numbers. It is valid for the commands of
// one method.
func (d *Device) scratchFor(n int) uint64 {
	if d.scratch == nil || d.scratch.n < n {
		d.scratch = d.alloc(n + n/4)
	}
	return d.scratch.address
}
