package data

import (
	"bytes"
	"image"
	"image/color"
	"image/gif"
	"image/png"
)

// HostedContent is what Teams hosts for a message under an id, with its media type: the picture that the body or a reaction of the message
// shows. ok is false for any other id, and for messages without a picture.
func (w *World) HostedContent(m *Message, id string) (content []byte, mime string, ok bool) {
	if id != RandomGUID(m.h).Hex() || !bytes.Contains(AppendJSON(nil, w.RenderMessage(m, View{})), []byte("/hostedContents/"+id+"/$value")) {
		return nil, "", false
	}
	var b bytes.Buffer
	shades := image.NewPaletted(image.Rect(0, 0, 320, 200), color.Palette{
		color.RGBA{uint8(m.h), uint8(m.h >> 8), uint8(m.h >> 16), 255}, color.RGBA{uint8(m.h >> 24), uint8(m.h >> 32), uint8(m.h >> 40), 255},
	})
	for i := range shades.Pix {
		x, y := i%320/20, i/320/20
		shades.Pix[i] = uint8((x + y) % 2)
	}
	// Writing to a buffer cannot fail.
	if m.h%5 == 0 {
		_ = gif.Encode(&b, shades, nil)
		return b.Bytes(), "image/gif", true
	}
	_ = png.Encode(&b, shades)
	return b.Bytes(), "image/png", true
}
