// A reference xDS server on go-control-plane's linear caches, for comparison in one run with the server of this
// repository. It generates nothing: it serves the resources of a dump, and takes changes on a loopback control port.
//
//	server -dump FILE -cert FILE -key FILE -ca FILE
//
// It prints one line of JSON, {"xds": "HOST:PORT", "control": "HOST:PORT"}, once it serves, and ends with its
// standard input.
package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"os"
	"time"

	discovery "github.com/envoyproxy/go-control-plane/envoy/service/discovery/v3"
	"github.com/envoyproxy/go-control-plane/pkg/server/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

func main() {
	dump := flag.String("dump", "", "resources to serve")
	certificate := flag.String("cert", "", "PEM")
	key := flag.String("key", "", "PEM")
	authority := flag.String("ca", "", "PEM of the CA of clients")
	flag.Parse()
	if err := run(*dump, *certificate, *key, *authority); err != nil {
		log.Fatal(err)
	}
}

func run(dump, certificate, key, authority string) error {
	resources, err := loadDump(dump)
	if err != nil {
		return fmt.Errorf("cannot load the dump %s: %w", dump, err)
	}
	security, err := tlsConfig(certificate, key, authority)
	if err != nil {
		return err
	}
	xds, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	counts := &counters{}
	grpcServer := grpc.NewServer(
		grpc.Creds(credentials.NewTLS(security)),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: 30 * time.Second, Timeout: 10 * time.Second}),
	)
	discovery.RegisterAggregatedDiscoveryServiceServer(
		grpcServer,
		server.NewServer(context.Background(), resources.mux(), counts.callbacks()),
	)
	control, err := serveControl(resources, counts)
	if err != nil {
		return err
	}
	ready, err := json.Marshal(map[string]string{"xds": xds.Addr().String(), "control": control})
	if err != nil {
		return err
	}
	fmt.Println(string(ready))
	go func() {
		// Whoever started us holds the other end.
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return grpcServer.Serve(xds)
}

// The same as the server of this repository asks for: TLS 1.3 and a client certificate of the mesh CA.
func tlsConfig(certificate, key, authority string) (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(certificate, key)
	if err != nil {
		return nil, err
	}
	pem, err := os.ReadFile(authority)
	if err != nil {
		return nil, err
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate", authority)
	}
	return &tls.Config{
		Certificates:     []tls.Certificate{pair},
		ClientCAs:        pool,
		ClientAuth:       tls.RequireAndVerifyClientCert,
		MinVersion:       tls.VersionTLS13,
		CurvePreferences: []tls.CurveID{tls.X25519, tls.CurveP256},
	}, nil
}
