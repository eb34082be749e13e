//go:build cuda && cgo && linux

package cuda

/*
#include "driver.h"
*/
import "C"

import (
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"unsafe"
)

const (
	arenas = 2
	// enough for a batch of a few hundred utterances; larger data is sent in parts
	arenaBytes = 32 << 20
)

// A submission is a list of commands, with the arena that holds their data from the host.
type submission struct {
	arena  int            // number of the arena
	host   unsafe.Pointer // the arena in pinned memory
	device uint64         // address of its copy on the device
	used   int            // bytes
	words  []uint64       // the commands; see driver.h
}

// newSubmission allocates an arena and its copy. It runs on the device's thread.
func (d *Device) newSubmission(arena int) (*submission, error) {
	s := &submission{arena: arena}
	if err := check(d.name+": pinned memory", C.memory_pinned(&s.host, arenaBytes)); err != nil {
		return nil, err
	}
	var address C.uint64_t
	if err := check(d.name+": memory", C.memory_alloc(&address, arenaBytes)); err != nil {
		return nil, err
	}
	s.device = uint64(address)
	return s, nil
}

// begin locks the device for a command. It first launches the pending steps of Adam.
func (d *Device) begin() {
	d.mu.Lock()
	d.flushAdam()
}

// current returns the submission that is being written. It waits if the thread still runs both
// submissions.
func (d *Device) current() *submission {
	if d.next == nil {
		d.next = <-d.free
		d.next.used, d.next.words = 0, d.next.words[:0]
	}
	return d.next
}

// stage allocates memory in the arena for the next command. It returns the address on the host, to
// write to, and the address on the device.
func (d *Device) stage(bytes int) (host unsafe.Pointer, address uint64) {
	if bytes > arenaBytes {
		panic(fmt.Sprintf(
			"cuda: one kernel needs %d bytes from the host, at most %d are supported", bytes,
			arenaBytes,
		))
	}
	if s := d.current(); s.used+bytes > arenaBytes {
		d.submit()
	}
	s := d.current()
	at := s.used
	s.used += (bytes + 15) &^ 15
	return unsafe.Add(s.host, at), s.device + uint64(at)
}

// stageSlice copies v to the arena and returns its address on the device.
func stageSlice[T any](d *Device, v []T) (address uint64) {
	host, address := d.stage(len(v) * int(unsafe.Sizeof(v[0])))
	copy(unsafe.Slice((*T)(host), len(v)), v)
	return address
}

// The arguments of a kernel are 64-bit words: addresses, integers, floating-point numbers and
// booleans.

func argInt(n int) uint64 { return uint64(n) }

func argFloat(v float64) uint64 { return math.Float64bits(v) }

func argBool(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// blockThreads is the number of threads in a block of most kernels.
const blockThreads = 256

// launch appends a kernel with a thread for each of n elements. If n is 0 it does nothing.
func (d *Device) launch(name string, n int, args ...uint64) {
	d.launchBlocks(name, (n+blockThreads-1)/blockThreads, blockThreads, args...)
}

// launchBlocks appends a kernel with the given numbers of blocks and of threads in a block.
func (d *Device) launchBlocks(name string, blocks, threads int, args ...uint64) {
	if blocks == 0 {
		return
	}
	if blocks > math.MaxInt32 {
		panic(fmt.Sprintf("cuda: %s on %d blocks of %d threads: too large for one kernel",
			name, blocks, threads))
	}
	s := d.current()
	s.words = append(s.words, C.LAUNCH|uint64(4+len(args))<<8, d.kernels.function(name),
		uint64(blocks), uint64(threads))
	s.words = append(s.words, args...)
}

// submit sends the current submission to the thread.
func (d *Device) submit() {
	s := d.next
	if s == nil {
		return
	}
	d.next = nil
	d.tasks <- func() {
		if err := d.run(s); err != nil {
			d.fail(err)
		}
		d.free <- s
	}
}

// run runs a submission on the device's thread. If the device has failed, it does nothing.
func (d *Device) run(s *submission) error {
	if d.failed() != nil {
		return nil
	}
	if err := check(d.name+": copy from the host",
		C.stage_begin(d.gpu, C.int(s.arena), C.uint64_t(s.device),
			s.host, C.size_t(s.used))); err != nil {
		return err
	}
	if len(s.words) > 0 {
		if err := d.runCommands(s.words); err != nil {
			return err
		}
	}
	return check(d.name+": copy from the host", C.stage_end(d.gpu, C.int(s.arena)))
}

// runCommands runs commands kernel by kernel, or captures them, or launches their graph: see the
// package documentation.
func (d *Device) runCommands(words []uint64) error {
	first, n := (*C.uint64_t)(unsafe.Pointer(&words[0])), C.size_t(len(words))
	g, seen := d.graphs.find(words)
	if !seen { // kernel by kernel, so that an error can name the kernel
		var at C.size_t
		code := C.commands_run(d.gpu, first, n, 1, &at)
		if code != 0 {
			return check(fmt.Sprintf("%s: %s", d.name, d.commandName(words[at:])), code)
		}
		return nil
	}
	if g.graph == nil {
		if err := check(d.name+": capturing a step",
			C.commands_capture(d.gpu, first, n, &g.graph)); err != nil {
			return err
		}
	}
	return check(d.name+": a captured step", C.graph_run(d.gpu, g.graph))
}

// commandName returns the name of a command's kernel.
func (d *Device) commandName(command []uint64) string {
	if command[0]&0xff == C.GEMM {
		return "product"
	}
	return "kernel " + d.kernels.name(command[1])
}

// A graph is a list of commands that ran before, with its CUDA graph from the second time on.
type graph struct {
	words []uint64
	graph unsafe.Pointer
	used  int // time of the last use
}

// graphs is a cache of lists of commands.
type graphs struct {
	lists map[uint64]*graph // by hash
	clock int               // number of lookups, used as the time
}

// maxGraphs is the maximum number of lists in the cache. A training run has about ten lists: one
// for each kind of batch and each arena.
const maxGraphs = 64

var hashSeed = maphash.MakeSeed()

// find returns the entry of a list of commands, and whether the list ran before. It adds a new
// list to the cache.
func (g *graphs) find(words []uint64) (found *graph, seen bool) {
	key := maphash.Bytes(hashSeed, unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), 8*len(words)))
	g.clock++
	if f := g.lists[key]; f != nil && slices.Equal(f.words, words) {
		f.used = g.clock
		return f, true
	}
	if len(g.lists) >= maxGraphs {
		g.evict()
	}
	if g.lists == nil {
		g.lists = map[uint64]*graph{}
	}
	g.lists[key] = &graph{words: slices.Clone(words), used: g.clock}
	return g.lists[key], false
}

// evict removes the least recently used list.
func (g *graphs) evict() {
	oldest, last := uint64(0), math.MaxInt
	for key, f := range g.lists {
		if f.used < last {
			oldest, last = key, f.used
		}
	}
	if f := g.lists[oldest]; f.graph != nil {
		C.graph_free(f.graph)
	}
	delete(g.lists, oldest)
}
