// The PingPong server as grpc-go makes it, with the least that can be: answers are constant bytes, nothing is decoded but gRPC's
// own framing. A floor for `make bench-peers`, beside `grpcroute server`.
package main

import (
	"crypto/tls"
	"flag"
	"fmt"
	"log"
	"net"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/proto"
)

// raw passes messages as they are.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(message any) ([]byte, error) { return message.([]byte), nil }

func (raw) Unmarshal(bytes []byte, message any) error {
	*message.(*[]byte) = bytes
	return nil
}

// pong is ping.PingResponse{message: "pong", server_version: "v1", server_id: "grpc-go"}.
var pong = []byte("\x0a\x04pong\x12\x02v1\x1a\x07grpc-go")

func answer(_ any, stream grpc.ServerStream) error {
	var request []byte
	for {
		if err := stream.RecvMsg(&request); err != nil {
			return nil // the client is done
		}
		if err := stream.SendMsg(pong); err != nil {
			return err
		}
	}
}

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	cert := flag.String("cert", "", "certificate chain (PEM)")
	key := flag.String("key", "", "private key (PEM)")
	version := flag.Bool("version", false, "print grpc-go's version")
	flag.Parse()
	if *version {
		fmt.Println("grpc-go", grpc.Version)
		return
	}
	pair, err := tls.LoadX509KeyPair(*cert, *key)
	if err != nil {
		log.Fatal(err)
	}
	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(grpc.NewServer(grpc.Creds(credentials.NewServerTLSFromCert(&pair)), grpc.ForceServerCodec(raw{}),
		grpc.UnknownServiceHandler(answer), grpc.MaxConcurrentStreams(10000)).Serve(listener))
}
