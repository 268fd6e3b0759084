package movertest

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
)

const (
	block = 64 << 10
	// Changed content differs in one block of a hundred.
	changed = 100
)

// fill writes a file that compresses about as well as a database does: half of each block is words and
// figures, half is noise. The same size gives the same content.
func fill(name string, size int64) error {
	f, err := os.Create(name) //nolint:gosec // a test's own file
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	r := rand.New(rand.NewPCG(1, uint64(size))) //nolint:gosec // the same every time
	for at := int64(0); at < size; at += block {
		_, err = w.Write(piece(r, min(block, size-at)))
		if err != nil {
			break
		}
	}
	return errors.Join(err, w.Flush(), f.Close())
}

func piece(r *rand.Rand, size int64) []byte {
	b := make([]byte, 0, size+256)
	for int64(len(b)) < size/2 {
		b = fmt.Appendf(b, `{"_id":%d,"customer":"customer-%d","state":"delivered",`+
			`"items":[{"sku":"sku-%d","count":%d}],"total":%d.00}`+"\n",
			r.Uint64(), r.IntN(100_000), r.IntN(1000), r.IntN(9), r.IntN(10_000))
	}
	b = b[:size/2]
	for int64(len(b)) < size {
		v := r.Uint64()
		b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24), byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56))
	}
	return b[:size]
}

// change overwrites one block in a hundred, in runs of sixteen like the pages of a database, and keeps the size.
func change(name string, size int64) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	const run = 16
	r := rand.New(rand.NewPCG(2, uint64(size))) //nolint:gosec // the same every time
	for at := int64(0); at < size && err == nil; at += block * run * changed {
		for i := int64(0); i < run && at+(i+1)*block <= size && err == nil; i++ {
			_, err = f.WriteAt(piece(r, block), at+i*block)
		}
	}
	return errors.Join(err, f.Close())
}
