package readers

import (
	"bytes"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/parley-gateway/parley/source"
)

// recordPacker compresses the records of an index one by one, with the first records of the index as the dictionary: all records have the same
// properties. A nil recordPacker packs nothing.
type recordPacker struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
}

const (
	// dictionaryBytes bounds the dictionary, packerBytes is the memory of a packer.
	dictionaryBytes = 64 << 10
	packerBytes     = 4 * dictionaryBytes
	dictionaryID    = 1
)

// newRecordPacker returns a packer with a dictionary of some records; nil = none can be made of them.
func newRecordPacker(rows []source.CallRow) *recordPacker {
	var dictionary []byte
	for i := range rows {
		if record := rows[i].Record; len(dictionary)+len(record) <= dictionaryBytes {
			dictionary = append(dictionary, record...)
		}
	}
	encoder, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithEncoderCRC(false),
		zstd.WithWindowSize(2*dictionaryBytes), zstd.WithEncoderDictRaw(dictionaryID, dictionary))
	if err != nil {
		return nil
	}
	decoder, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderDictRaw(dictionaryID, dictionary))
	if err != nil {
		return nil
	}
	return &recordPacker{encoder, decoder}
}

// frameMagic begins a packed record. A record is JSON, and begins with none of these bytes.
var frameMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// pack returns a record compressed; one that is compressed already stays so.
func (p *recordPacker) pack(record []byte) []byte {
	if p == nil || bytes.HasPrefix(record, frameMagic) {
		return record
	}
	return slices.Clone(p.encoder.EncodeAll(record, nil)) // of its exact size
}

// unpack returns a record as it came.
func (p *recordPacker) unpack(record []byte) ([]byte, error) {
	if p == nil || !bytes.HasPrefix(record, frameMagic) {
		return record, nil
	}
	return p.decoder.DecodeAll(record, nil)
}
