package falcosim

import (
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
)

// frameCodec writes a Frame as it is and leaves all else to the codec inside.
type frameCodec struct{ encoding.CodecV2 }

func (c frameCodec) Marshal(v any) (mem.BufferSlice, error) {
	if frame, ok := v.(Frame); ok {
		return mem.BufferSlice{mem.SliceBuffer(frame)}, nil
	}
	return c.CodecV2.Marshal(v)
}
