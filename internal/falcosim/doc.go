// Package falcosim plays Falco: its gRPC server, its http_output and its file_output, with alerts
// that are given to it. It behaves as a recorded Falco 0.43.1 did, down to what is unpleasant:
// a queue that forgets, streams that never finish, pings that are punished. It serves tests, the
// demo and people who develop a client.
//
// It differs from Falco in what follows from grpc-go being the server:
//
//   - Falco takes an alert out of its queue when the alert before it was written to the
//     connection, so only what fits the client's flow-control window (64 KiB at first) and one
//     alert more are popped and not read. grpc-go's server buffers up to 64 KiB for each stream
//     behind that. So a client that goes away in the middle loses about twice as many alerts here.
//   - Falco cut a client that pings every 10 s off after 50 s; grpc-go counts one ping less.
//   - A reload with an open sub aborted Falco in two of two recorded tries. Here it works.
package falcosim
