//go:build cuda && cgo && linux

package cuda

/*
#include <stdlib.h>
#include "driver.h"
*/
import "C"

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unsafe"

	"github.com/seed-6655bf3b/recap/internal/device"
)

//go:embed kernels/*.cu
var sources embed.FS

// files are the sources of the kernels in reading order, except attention.cu, which is compiled
// separately for each width of a head.
var files = []string{"elementwise", "strided", "index", "reduce", "rowwise", "lstm", "gru", "conv",
	"scan", "pairs", "adam"}

// kernels are the functions of the compiled sources.
type kernels struct {
	device    *Device
	functions map[string]uint64
	names     map[uint64]string
	widths    map[int]bool // widths of heads for which attention.cu is compiled
}

// open compiles all kernels except those of attention.cu. It runs on the device's thread.
func (k *kernels) open(d *Device) error {
	*k = kernels{d, map[string]uint64{}, map[uint64]string{}, map[int]bool{}}
	return k.compile(source(files...), "")
}

// function returns the handle of a kernel.
func (k *kernels) function(name string) uint64 {
	f, ok := k.functions[name]
	if !ok && k.device.failed() == nil {
		panic("cuda: kernel " + name + " does not exist")
	}
	return f
}

// name returns the name of the kernel with a handle.
func (k *kernels) name(function uint64) string { return k.names[function] }

// source returns the text of the given files, preceded by the constants and prelude.cu.
func source(files ...string) string {
	var b strings.Builder
	for name, number := range constants() {
		fmt.Fprintf(&b, "#define %s %d\n", name, number)
	}
	lines := strings.SplitAfter(b.String(), "\n")
	slices.Sort(lines)
	text := strings.Join(lines, "")
	for _, f := range append([]string{"prelude"}, files...) {
		part, err := sources.ReadFile("kernels/" + f + ".cu")
		if err != nil {
			panic(err) // all files are embedded
		}
		text += fmt.Sprintf("#line 1 \"%s.cu\"\n%s", f, part)
	}
	return text
}

// constants returns the constants that the kernels share with Go: the numbers of the operations,
// and sizes.
func constants() map[string]int {
	c := map[string]int{"RANK": maxRank, "ADAM_BLOCK": adamBlock, "TILE": attentionTile,
		"INTERVAL": device.ScanInterval}
	for i, name := range [device.NumUnary]string{device.Affine: "AFFINE", device.Exp: "EXP",
		device.Log: "LOG", device.Sqrt: "SQRT", device.Abs: "ABS",
		device.Tanh: "TANH", device.Sigmoid: "SIGMOID", device.Softplus: "SOFTPLUS",
		device.ReLU: "RELU", device.LeakyReLU: "LEAKY_RELU",
		device.GELU: "GELU", device.SiLU: "SILU", device.Clamp: "CLAMP", device.Huber: "HUBER"} {
		c[name] = i
	}
	for i, name := range [device.NumBinary]string{device.Add: "ADD", device.Sub: "SUB",
		device.Mul: "MUL", device.Div: "DIV", device.Equal: "EQUAL",
		device.Less: "LESS", device.Mask: "MASK"} {
		c[name] = i
	}
	for i, name := range [numFolds]string{foldSum: "FOLD_SUM", foldMax: "FOLD_MAX",
		foldExp: "FOLD_EXP"} {
		c[name] = i
	}
	return c
}

var kernelName = regexp.MustCompile(`(?m)^KERNEL\((\w+),`)

// compile adds the kernels of a source, with the suffix appended to their names. It runs on the
// device's thread.
func (k *kernels) compile(text, suffix string, options ...string) error {
	image, err := k.device.image(text, options)
	if err != nil {
		return err
	}
	var module unsafe.Pointer
	p := C.CBytes(image)
	defer C.free(p)
	if err := check(k.device.name+": loading kernels", C.module_load(p, &module)); err != nil {
		return err
	}
	for _, m := range kernelName.FindAllStringSubmatch(text, -1) {
		name := C.CString(m[1])
		var f C.uint64_t
		err := check(k.device.name+": kernel "+m[1], C.module_function(module, name, &f))
		C.free(unsafe.Pointer(name))
		if err != nil {
			return err
		}
		k.functions[m[1]+suffix], k.names[uint64(f)] = uint64(f), m[1]+suffix
	}
	return nil
}

// image returns a source compiled for the device. It reads the result from the cache on disk, or
// calls NVRTC and adds the result to the cache.
func (d *Device) image(text string, options []string) ([]byte, error) {
	var major, minor C.int
	C.compiler_version(&major, &minor)
	target, err := targetFor(d.arch)
	if err != nil {
		return nil, err
	}
	options = append([]string{"--gpu-architecture=" + target}, options...)
	paths, err := openLibraries()
	if err != nil {
		return nil, err
	}
	path := cachePath(fmt.Sprint(paths[C.COMPILER], " ", major, ".", minor, " ", options,
		"\n", text))
	if image := readCached(path); image != nil {
		return image, nil
	}
	image, err := compileSource(text, strings.HasPrefix(target, "compute_"), options)
	if err == nil {
		writeCached(path, image)
	}
	return image, err
}

// targetFor returns the target for NVRTC: machine code for the device's architecture or, for a
// device that is newer than the compiler, the newest PTX that it supports, which the driver
// translates.
func targetFor(arch int) (string, error) {
	var n C.int
	if C.compiler_archs(nil, &n) != 0 || n == 0 {
		return "", fmt.Errorf("cuda: NVRTC does not report the architectures that it supports")
	}
	archs := make([]C.int, n)
	C.compiler_archs(&archs[0], &n)
	newest := 0
	for _, a := range archs {
		if int(a) == arch {
			return fmt.Sprintf("sm_%d", arch), nil
		}
		if int(a) < arch {
			newest = max(newest, int(a))
		}
	}
	if newest == 0 {
		return "", fmt.Errorf(
			"cuda: compute capability %d.%d: expected one that NVRTC supports, %d.%d or newer; "+
				"try an older version of CUDA", arch/10, arch%10, archs[0]/10, archs[0]%10,
		)
	}
	return fmt.Sprintf("compute_%d", newest), nil
}

// compileSource compiles text with NVRTC, to PTX or to machine code.
func compileSource(text string, ptx bool, options []string) ([]byte, error) {
	source, name := C.CString(text), C.CString("kernels.cu")
	defer C.free(unsafe.Pointer(source))
	defer C.free(unsafe.Pointer(name))
	list := C.malloc(C.size_t(len(options)) * C.size_t(unsafe.Sizeof(uintptr(0))))
	defer C.free(list)
	option := unsafe.Slice((**C.char)(list), len(options))
	for i, o := range options {
		option[i] = C.CString(o)
		defer C.free(unsafe.Pointer(option[i]))
	}
	var image, log *C.char
	var n C.size_t
	toPTX := C.int(0)
	if ptx {
		toPTX = 1
	}
	code := C.compiler_run(source, name, C.int(len(options)), (**C.char)(list), toPTX, &image,
		&n, &log)
	defer C.free(unsafe.Pointer(image))
	defer C.free(unsafe.Pointer(log))
	if code != 0 {
		return nil, fmt.Errorf("cuda: NVRTC cannot compile the kernels with %v (status %d):\n%s",
			options, code, C.GoString(log))
	}
	return C.GoBytes(unsafe.Pointer(image), C.int(n)), nil
}

// cachePath returns the path of an image in the cache, or "" if the system has no cache folder.
func cachePath(key string) string {
	dir, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(dir, "recap", fmt.Sprintf("kernels-%x", sha256.Sum256([]byte(key))))
}

// readCached returns an image, or nil if it does not exist or is damaged. The file has the hash of
// the image before the image.
func readCached(path string) []byte {
	file, err := os.ReadFile(path)
	if err != nil || len(file) < sha256.Size {
		return nil
	}
	image := file[sha256.Size:]
	if sum := sha256.Sum256(image); !bytes.Equal(sum[:], file[:sha256.Size]) {
		return nil
	}
	return image
}

// writeCached writes an image to the cache. It ignores errors: the image is compiled again next
// time.
func writeCached(path string, image []byte) {
	if path == "" || os.MkdirAll(filepath.Dir(path), 0o755) != nil {
		return
	}
	f, err := os.CreateTemp(filepath.Dir(path), "new-*")
	if err != nil {
		return
	}
	sum := sha256.Sum256(image)
	_, err = f.Write(append(sum[:], image...))
	if f.Close() != nil || err != nil || os.Rename(f.Name(), path) != nil {
		os.Remove(f.Name())
	}
}
