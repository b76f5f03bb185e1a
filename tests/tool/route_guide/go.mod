// grpc-go's example of a service with all four kinds of call, for tests: its module cannot be installed by version, as it
// replaces others.
module route_guide

go 1.25.0

require google.golang.org/grpc/examples v0.0.0-20260825154716-030ee8becb20
