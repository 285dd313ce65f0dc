package falcosim

import (
	"encoding/hex"

	"github.com/falcosecurity/client-go/pkg/api/version"
	"google.golang.org/protobuf/proto"
)

// recordedVersion is what Falco 0.43.1 answered, with the field 11 that client-go does not know:
// engine_version "0.58.0". Field 7, which client-go calls so, is the minor number.
func recordedVersion() *version.Response {
	const message = "0a06302e34332e31182b2001383a42403935326661333335366266643236363431393831306265353161" +
		"653635396561623438303933613636646132366666663338393730323261396465326330386" +
		"35a06302e35382e30"
	v := new(version.Response)
	data, err := hex.DecodeString(message)
	if err == nil {
		err = proto.Unmarshal(data, v)
	}
	if err != nil {
		panic("falcosim: the recorded version: " + err.Error())
	}
	return v
}
