// A PingPong server on @grpc/grpc-js: grpc_js_endpoint.js VERSION. A stream with the metadata noread is left unread.
"use strict";
const grpc = require("@grpc/grpc-js");

function text(number, value) {
    return Buffer.concat([Buffer.from([number << 3 | 2, value.length]), Buffer.from(value)]);
}

const pong = Buffer.concat([text(1, "pong"), text(2, process.argv[2]), text(3, "grpc-js")]);
const bytes = {requestSerialize: (b) => b, requestDeserialize: (b) => b, responseSerialize: (b) => b, responseDeserialize: (b) => b};

function pingPong(call) {
    if (call.metadata.get("noread").length > 0) {
        return;
    }
    call.on("data", () => call.write(pong));
    call.on("end", () => call.end());
    call.on("error", () => {});
}

const server = new grpc.Server();
server.addService({
    PingPong: {path: "/ping.PingService/PingPong", requestStream: true, responseStream: true, ...bytes},
}, {PingPong: pingPong});
// SERVING, whatever is asked
server.addService({
    Check: {path: "/grpc.health.v1.Health/Check", requestStream: false, responseStream: false, ...bytes},
}, {Check: (call, done) => done(null, Buffer.from([8, 1]))});
server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, port) => {
    if (error) {
        throw error;
    }
    console.log(`Listening on 127.0.0.1:${port}`);
});
