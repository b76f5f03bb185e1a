// The PingPong server as grpc-go makes it, with the least that can be: answers are constant bytes, nothing is decoded but gRPC's
// own framing. A floor for `make bench-peers`, beside `grpcroute server`, and an endpoint behind the proxy in tests/e2e.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net"
	"os"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"
)

// raw passes pings as they are; health checks are messages of protobuf.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(message any) ([]byte, error) {
	if known, ok := message.(proto.Message); ok {
		return proto.Marshal(known)
	}
	return message.([]byte), nil
}

func (raw) Unmarshal(bytes []byte, message any) error {
	if known, ok := message.(proto.Message); ok {
		return proto.Unmarshal(bytes, known)
	}
	*message.(*[]byte) = bytes
	return nil
}

// pong makes ping.PingResponse{message: "pong", server_version: version, server_id: id}.
func pong(version, id string) []byte {
	message := []byte("\x0a\x04pong")
	message = append(append(message, 0x12, byte(len(version))), version...)
	return append(append(message, 0x1a, byte(len(id))), id...)
}

type server struct {
	pong   []byte
	noread bool
}

func (s server) answer(_ any, stream grpc.ServerStream) error {
	fields, _ := metadata.FromIncomingContext(stream.Context())
	if s.noread && len(fields.Get("noread")) > 0 {
		<-stream.Context().Done()
		return nil
	}
	var request []byte
	for {
		if err := stream.RecvMsg(&request); err != nil {
			return nil // the client is done
		}
		if err := stream.SendMsg(s.pong); err != nil {
			return err
		}
	}
}

func options(cert, key string, streams uint) []grpc.ServerOption {
	chosen := []grpc.ServerOption{grpc.ForceServerCodec(raw{}), grpc.MaxConcurrentStreams(uint32(streams))}
	if cert == "" {
		return chosen
	}
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		log.Fatal(err)
	}
	return append(chosen, grpc.Creds(credentials.NewServerTLSFromCert(&pair)))
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	cert := flag.String("cert", "", "certificate chain (PEM); without it plaintext")
	key := flag.String("key", "", "private key (PEM)")
	streams := flag.Uint("max-streams", 10000, "streams on one connection")
	name := flag.String("server-version", "v1", "version that every pong names")
	id := flag.String("id", "grpc-go", "id that every pong names")
	noread := flag.Bool("noread", false, "leave streams with the metadata `noread` unread")
	healthy := flag.Bool("health", false, "serve grpc.health.v1")
	version := flag.Bool("version", false, "print grpc-go's version")
	flag.Parse()
	if *version {
		fmt.Println("grpc-go", grpc.Version)
		return
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	serving := grpc.NewServer(options(*cert, *key, *streams)...)
	serving.RegisterService(&grpc.ServiceDesc{ServiceName: "ping.PingService", HandlerType: (*any)(nil), Streams: []grpc.StreamDesc{
		{StreamName: "PingPong", Handler: server{pong(*name, *id), *noread}.answer, ServerStreams: true, ClientStreams: true},
	}}, struct{}{})
	if *healthy {
		grpc_health_v1.RegisterHealthServer(serving, health.NewServer())
	}
	fmt.Fprintln(os.Stderr, "Listening on", listener.Addr())
	log.Fatal(serving.Serve(listener))
}
