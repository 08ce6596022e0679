package lifetime

import (
	"bytes"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/http2"
	"pgregory.net/rapid"
)

type frameSeen struct {
	Kind   http2.FrameType
	Flags  http2.Flags
	Stream uint32
}

// TestFramesAreSeenInWhateverPiecesTheyCome: each frame is seen once and in turn, in whatever pieces the bytes come.
func TestFramesAreSeenInWhateverPiecesTheyCome(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var wire bytes.Buffer
		count := rapid.IntRange(1, 8).Draw(t, "frames")
		want, got := make([]frameSeen, 0, count), make([]frameSeen, 0, count)
		framer := http2.NewFramer(&wire, nil)
		for range count {
			frame := frameSeen{
				Kind: http2.FrameType(rapid.IntRange(0, 9).Draw(t, "kind")), Flags: http2.Flags(rapid.Byte().Draw(t, "flags")),
				Stream: rapid.Uint32Range(0, 1<<31-1).Draw(t, "stream"),
			}
			want = append(want, frame)
			payload := rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "payload")
			if err := framer.WriteRawFrame(frame.Kind, frame.Flags, frame.Stream, payload); err != nil {
				t.Fatal(err)
			}
		}
		f := frameScanner{onFrame: func(kind http2.FrameType, flags http2.Flags, stream uint32) {
			got = append(got, frameSeen{kind, flags, stream})
		}}
		for wire.Len() > 0 {
			f.scan(wire.Next(rapid.IntRange(1, 400).Draw(t, "piece")))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("frames (-want +got):\n%s", diff)
		}
	})
}
