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

// Blocks of up to smallBlock bytes are cut from slabs; larger ones are asked of the driver one by
// one. smallBlock is a variable for tests, which put a guard behind every block.
var smallBlock = 8 << 20

const (
	slabBytes = 64 << 20
	alignment = 512 // of blocks
)

// memory hands out blocks. Those that nobody holds any more are kept for the next that asks for as
// much: a tape finds what the one before it left. All work is on one stream, so what still reads a
// block comes before what will write to it.
type memory struct {
	device *Device

	mu    sync.Mutex
	free  map[int][]block // by size
	slab  block           // the rest of the newest slab
	held  int             // bytes from the driver
	spare int             // bytes in free
}

// A block is memory on the device.
type block struct {
	address uint64
	bytes   int
	cut     bool // from a slab
}

// Alloc implements device.Device. Without memory, the device fails.
func (d *Device) Alloc(n int) device.Buffer {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.alloc(n)
}

// alloc returns a buffer, for a caller that holds the lock.
func (d *Device) alloc(n int) *buffer {
	b := &buffer{device: d, n: n}
	if n == 0 {
		return b
	}
	m, err := d.memory.take((4*n + alignment - 1) &^ (alignment - 1))
	if err != nil {
		d.fail(err)
		return b
	}
	b.address = m.address
	runtime.AddCleanup(b, d.memory.giveBack, m)
	return b
}

// take returns a block.
func (m *memory) take(bytes int) (b block, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if spare := m.free[bytes]; len(spare) > 0 {
		b, m.free[bytes] = spare[len(spare)-1], spare[:len(spare)-1]
		m.spare -= bytes
		return b, nil
	}
	if bytes > smallBlock {
		return m.ask(bytes)
	}
	if m.slab.bytes < bytes {
		m.keep(m.slab)
		if m.slab, err = m.ask(slabBytes); err != nil {
			m.slab = block{}
			return b, err
		}
	}
	b = block{m.slab.address, bytes, true}
	m.slab = block{m.slab.address + uint64(bytes), m.slab.bytes - bytes, true}
	return b, nil
}

// giveBack returns a block that nobody holds.
func (m *memory) giveBack(b block) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.keep(b)
}

func (m *memory) keep(b block) {
	if b.bytes == 0 {
		return
	}
	if m.free == nil {
		m.free = map[int][]block{}
	}
	m.free[b.bytes] = append(m.free[b.bytes], b)
	m.spare += b.bytes
}

// ask takes memory from the driver, after returning what is spare if it has none.
func (m *memory) ask(bytes int) (block, error) {
	d := m.device
	if err := d.failed(); err != nil {
		return block{}, err
	}
	var address C.uint64_t
	var code C.int
	d.do(func() { code = C.memory_alloc(&address, C.size_t(bytes)) })
	if code == outOfMemory {
		d.launchAdams() // what is not yet submitted may read a spare block
		d.submit()
		d.do(func() {
			if m.shrink() {
				code = C.memory_alloc(&address, C.size_t(bytes))
			}
		})
	}
	if code == outOfMemory {
		return block{}, m.exhausted(bytes)
	}
	if err := check(fmt.Sprintf("%s: %s of memory", d.name, mebibytes(bytes)), code); err != nil {
		return block{}, err
	}
	m.held += bytes
	return block{uint64(address), bytes, false}, nil
}

const outOfMemory = 2 // CUDA_ERROR_OUT_OF_MEMORY

// shrink returns the spare blocks to the driver, on the thread, when all that was submitted is
// done, and tells whether there were any.
func (m *memory) shrink() bool {
	if C.stream_wait(m.device.gpu) != 0 {
		return false
	}
	before := m.held
	for bytes, blocks := range m.free {
		var cut []block
		for _, b := range blocks {
			if b.cut || C.memory_free(C.uint64_t(b.address)) != 0 {
				cut = append(cut, b)
				continue
			}
			m.held, m.spare = m.held-bytes, m.spare-bytes
		}
		m.free[bytes] = cut
	}
	return m.held < before
}

// exhausted returns the error of memory that is not there.
func (m *memory) exhausted(bytes int) error {
	var available, total C.size_t
	m.device.do(func() { C.memory_info(&available, &total) })
	return fmt.Errorf("cuda: %s: out of memory: asked for %s, holding %s of which %s are free, and the device has %s free of %s; "+
		"a smaller train.batch needs less, and so do smaller models (--preset quick)",
		m.device.name, mebibytes(bytes), mebibytes(m.held), mebibytes(m.spare), mebibytes(int(available)), mebibytes(int(total)))
}

// counts returns the bytes held, the device's, and those free on it.
func (m *memory) counts() (held, total, available int) {
	var a, t C.size_t
	m.device.do(func() { C.memory_info(&a, &t) })
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held, int(t), int(a)
}

func mebibytes(n int) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

// scratchOf returns the address of memory for n numbers, for the next commands of one method.
func (d *Device) scratchOf(n int) uint64 {
	if d.scratch == nil || d.scratch.n < n {
		d.scratch = d.alloc(n + n/4)
	}
	return d.scratch.address
}
