package unpickle

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// A format is another kind of file that is given in place of a pickle.
type format struct{ prefix, name, advice string }

const joblibAdvice = `save it again: python -c "import joblib, pickle; ` +
	`pickle.dump(joblib.load('FILE'), open('data.pkl', 'wb'), 4)"`

var formats = []format{
	{"\x1f\x8b", "a gzip file", "unpack it: gunzip < FILE > data.pkl"},
	{"BZh", "a bzip2 file", "unpack it: bunzip2 < FILE > data.pkl"},
	{"\xfd7zXZ\x00", "an xz file", "unpack it: xz -d < FILE > data.pkl"},
	{"]\x00\x00", "an lzma file", "unpack it: xz -d --format=lzma < FILE > data.pkl"},
	{"\x28\xb5\x2f\xfd", "a zstd file", "unpack it: zstd -d < FILE > data.pkl"},
	{"\x04\x22\x4d\x18", "an lz4 file", "unpack it: lz4 -d < FILE > data.pkl"},
	{"x\x01", "a zlib file, as joblib writes", joblibAdvice},
	{"x\x5e", "a zlib file, as joblib writes", joblibAdvice},
	{"x\x9c", "a zlib file, as joblib writes", joblibAdvice},
	{"x\xda", "a zlib file, as joblib writes", joblibAdvice},
	{"\x89HDF\r\n\x1a\n", "an HDF5 file (.csd of CMU-MultimodalSDK is one)",
		"read it with h5py, make a dict of train, valid and test and save it with pickle.dump"},
	{"\x93NUMPY", "one array, as numpy.save writes it",
		"make a dict of train, valid and test and save it with pickle.dump"},
	{"version https://git-lfs", "a pointer of Git LFS, not the data",
		"run git lfs pull in its repository"},
}

// begin checks that the file is a pickle: it must start with PROTO, or in protocols 0 and 1 with a
// dict or a class.
func (w *scanner) begin() error {
	head, err := w.r.Peek(int(min(w.file.Size()-w.off, 256)))
	switch {
	case w.file.Size() == 0:
		return fmt.Errorf("%s: expected a pickle, found an empty file; download it again", w.Name)
	case w.file.Size() <= w.off:
		return w.refuse(w.off, "expected a pickle, found the end of the file", "download it again")
	case err != nil:
		return fmt.Errorf("%s: %w", w.Name, err)
	}
	if f := sniff(head); f.name != "" {
		return fmt.Errorf("%s: expected a pickle, found %s; %s", w.Name, f.name, f.advice)
	}
	if !bytes.Contains([]byte("\x80(}]c"), head[:1]) {
		return fmt.Errorf(
			"%s: expected a pickle, found a file that begins with %q; give the .pkl file",
			w.Name, head[:min(len(head), 40)],
		)
	}
	return nil
}

// sniff returns the format of a file with the given first bytes; its name is empty if it is not
// known.
func sniff(head []byte) format {
	for _, f := range formats {
		if bytes.HasPrefix(head, []byte(f.prefix)) {
			return f
		}
	}
	text := strings.ToLower(strings.TrimLeft(string(head), "\ufeff \t\r\n"))
	if strings.HasPrefix(text, "<!doctype html") || strings.HasPrefix(text, "<html") {
		return format{name: "an HTML page, perhaps a page about the download",
			advice: "download the file itself, from Google Drive for instance with gdown"}
	}
	if bytes.HasPrefix(head, []byte("PK\x03\x04")) {
		return sniffZip(head)
	}
	return format{}
}

// sniffZip tells zip archives apart by the name of the first entry, whose length is in bytes 26
// and 27 and which begins at byte 30.
func sniffZip(head []byte) format {
	var entry string
	if len(head) > 30 {
		entry = string(head[30:min(len(head), 30+int(binary.LittleEndian.Uint16(head[26:])))])
	}
	switch {
	case strings.HasSuffix(entry, ".npy"):
		return format{name: "an .npz file of NumPy",
			advice: "read it with numpy.load, make a dict of train, valid and test and save it " +
				"with pickle.dump"}
	case strings.HasSuffix(entry, "/data.pkl"):
		return format{name: "a file of torch.save", advice: "read it with torch.load, convert " +
			"tensors with .numpy() and save the dict with pickle.dump"}
	}
	return format{name: "a zip archive", advice: "unzip it and give the .pkl file in it"}
}
