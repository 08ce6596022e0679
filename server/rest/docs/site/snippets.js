// The same call in every language: with curl, grpcurl, and the clients that docs/clients.md generates.

const snake = (name) => name.replace(/[A-Z]/g, (letter) => "_" + letter.toLowerCase());
const pascal = (name) => name[0].toUpperCase() + name.slice(1);
const camel = (name) => name[0].toLowerCase() + name.slice(1);
const shell = (text) => "'" + text.replaceAll("'", "'\\''") + "'";
const quoted = (text) => JSON.stringify(text);
const kotlinQuoted = (text) => JSON.stringify(text).replaceAll("$", "\\$");

// A call has origin (of REST), grpc (host:port), tokens and reflection (booleans), path (with its query), csv (the answer is a
// file), and rpc: service, method, request, file, streams and fields, each with name, type, value, and enum with its file.
// Types are string, int, time, enum and enums.

function curl(call) {
  const flags = (call.rpc.streams && !call.csv ? " -N" : "") + (call.tokens ? ' -H "Authorization: Bearer $TOKEN"' : "");
  return `curl${flags} ${shell(call.origin + call.path)}`;
}

function grpcurl(call) {
  const message = Object.fromEntries(call.rpc.fields.map((f) => [f.name, f.type === "int" ? Number(f.value) : f.value]));
  const first = call.reflection ? "" : `curl -sSO ${shell(call.origin + "/descriptor.binpb")}\n`;
  const flags = [call.reflection ? "" : "-protoset descriptor.binpb", call.tls ? "" : "-plaintext", call.tokens ? '-H "authorization: Bearer $TOKEN"' : "",
    Object.keys(message).length ? "-d " + shell(JSON.stringify(message)) : ""].filter(Boolean).join(" ");
  return `${first}grpcurl ${flags} ${call.grpc} ${call.rpc.service}/${call.rpc.method}`;
}

const short = (call) => call.rpc.service.split(".").pop();
const stem = (file) => file.replace(/\.proto$/, "");
const withoutPrefix = (enumName, value) => value.slice(snake(enumName).slice(1).toUpperCase().length + 1);

function python(call) {
  const { rpc } = call;
  const value = (f) => (f.type === "int" ? f.value : f.type === "time" ? `datetime.fromisoformat(${quoted(f.value)})` : JSON.stringify(f.value));
  const file = stem(rpc.file).split("/").pop();
  const channel = call.tls ? `grpc.secure_channel(${quoted(call.grpc)}, grpc.ssl_channel_credentials())` : `grpc.insecure_channel(${quoted(call.grpc)})`;
  const request = `pb.${rpc.request}(${rpc.fields.map((f) => `${snake(f.name)}=${value(f)}`).join(", ")})`;
  const metadata = call.tokens ? `, metadata=[("authorization", "Bearer " + token)]` : "";
  return [
    rpc.fields.some((f) => f.type === "time") ? "from datetime import datetime\n" : null,
    "import grpc",
    `from parley.v1 import ${file}_pb2 as pb`,
    `from parley.v1.${file}_pb2_grpc import ${short(call)}Stub\n`,
    `with ${channel} as channel:`,
    `    stub = ${short(call)}Stub(channel)`,
    rpc.streams ? `    for frame in stub.${rpc.method}(${request}${metadata}):\n        print(frame)` : `    print(stub.${rpc.method}(${request}${metadata}))`,
  ].filter((line) => line !== null).join("\n");
}

function typescript(call) {
  const { rpc } = call;
  const enumValue = (f, v) => `${f.enum}.${withoutPrefix(f.enum, v)}`;
  const value = (f) => ({
    int: () => f.value, time: () => `timestampFromDate(new Date(${quoted(f.value)}))`, enum: () => enumValue(f, f.value),
    enums: () => `[${f.value.map((v) => enumValue(f, v)).join(", ")}]`, string: () => quoted(f.value),
  })[f.type]();
  const enums = [...new Map(rpc.fields.filter((f) => f.enum).map((f) => [f.enum, f.enumFile])).entries()];
  const request = `{ ${rpc.fields.map((f) => `${f.name}: ${value(f)}`).join(", ")} }`.replace("{  }", "{}");
  const options = call.tokens ? ", { headers: { authorization: `Bearer ${token}` } }" : "";
  const ask = `client.${camel(rpc.method)}(${request}${options})`;
  return [
    rpc.fields.some((f) => f.type === "time") ? 'import { timestampFromDate } from "@bufbuild/protobuf/wkt";' : null,
    'import { createClient } from "@connectrpc/connect";',
    'import { createGrpcTransport } from "@connectrpc/connect-node";\n',
    `import { ${short(call)} } from "./gen/${stem(rpc.file)}_pb.js";`,
    ...enums.map(([name, file]) => `import { ${name} } from "./gen/${stem(file)}_pb.js";`),
    `\nconst client = createClient(${short(call)}, createGrpcTransport({ baseUrl: "${call.tls ? "https" : "http"}://${call.grpc}" }));`,
    rpc.streams ? `for await (const frame of ${ask}) console.log(frame);` : `console.log(await ${ask});`,
  ].filter((line) => line !== null).join("\n");
}

function go(call) {
  const { rpc } = call;
  const enumValue = (f, v) => `parleyv1.${f.enum}_${v}`;
  const value = (f) => ({
    int: () => f.value, time: () => goTime(f.value), enum: () => enumValue(f, f.value),
    enums: () => `[]parleyv1.${f.enum}{${f.value.map((v) => enumValue(f, v)).join(", ")}}`, string: () => quoted(f.value),
  })[f.type]();
  const times = rpc.fields.some((f) => f.type === "time");
  const secure = call.tls ? "credentials.NewTLS(nil)" : "insecure.NewCredentials()";
  const request = `&parleyv1.${rpc.request}{${rpc.fields.map((f) => `${pascal(f.name)}: ${value(f)}`).join(", ")}}`;
  const imports = ["context", rpc.streams ? "errors" : null, "fmt", rpc.streams ? "io" : null, "log", times ? "time" : null, "",
    "google.golang.org/grpc", call.tls ? "google.golang.org/grpc/credentials" : "google.golang.org/grpc/credentials/insecure",
    call.tokens ? "google.golang.org/grpc/metadata" : null, times ? "google.golang.org/protobuf/types/known/timestamppb" : null, "",
    "parleyv1 github.com/parley-gateway/parley/gen/go/parley/v1"].filter((name) => name !== null);
  const lines = imports.map((name) => (name ? (name.includes(" ") ? `\t${name.replace(" ", ' "')}"` : `\t"${name}"`) : "")).join("\n");
  const fail = "\tif err != nil {\n\t\tlog.Fatal(err)\n\t}";
  const loop = `\tfor {\n\t\tframe, err := stream.Recv()\n\t\tif errors.Is(err, io.EOF) {\n\t\t\treturn\n\t\t}\n\t\tif err != nil {\n\t\t\tlog.Fatal(err)\n\t\t}\n\t\tfmt.Println(frame)\n\t}`;
  return [
    `package main\n\nimport (\n${lines}\n)\n\nfunc main() {`,
    call.tokens ? '\tctx := metadata.AppendToOutgoingContext(context.Background(), "authorization", "Bearer "+token)' : "\tctx := context.Background()",
    `\tconn, err := grpc.NewClient(${quoted(call.grpc)}, grpc.WithTransportCredentials(${secure}))`, fail, "\tdefer conn.Close()",
    `\t${rpc.streams ? "stream" : "answer"}, err := parleyv1.New${short(call)}Client(conn).${rpc.method}(ctx, ${request})`, fail,
    rpc.streams ? loop : "\tfmt.Println(answer)", "}",
  ].join("\n");
}

// goTime writes an instant in UTC, so that the snippet needs no parsing.
function goTime(text) {
  const at = new Date(text);
  if (Number.isNaN(at.getTime())) return `timestamppb.New(time.Time{}) /* ${text.replaceAll("*/", "")} */`;
  return `timestamppb.New(time.Date(${at.getUTCFullYear()}, ${at.getUTCMonth() + 1}, ${at.getUTCDate()}, ${at.getUTCHours()}, ${at.getUTCMinutes()}, ${at.getUTCSeconds()}, ${at.getUTCMilliseconds() * 1e6}, time.UTC))`;
}

const javaPackage = "io.github.parleygateway.parley.v1";

function java(call) {
  const { rpc } = call;
  const value = (f, v) => ({
    int: () => v, time: () => `Timestamps.parseUnchecked(${quoted(v)})`, enum: () => `${f.enum}.${v}`, enums: () => `${f.enum}.${v}`, string: () => quoted(v),
  })[f.type]();
  const set = (f) => (f.type === "enums" ? f.value.map((v) => `.add${pascal(f.name)}(${value(f, v)})`).join("") : `.set${pascal(f.name)}(${value(f, f.value)})`);
  const enums = [...new Set(rpc.fields.filter((f) => f.enum).map((f) => f.enum))];
  const times = rpc.fields.some((f) => f.type === "time");
  const stub = `${short(call)}Grpc.newBlockingStub(channel)` + (call.tokens ? ".withInterceptors(MetadataUtils.newAttachHeadersInterceptor(headers))" : "");
  const ask = `${stub}\n    .${camel(rpc.method)}(${rpc.request}.newBuilder()${rpc.fields.map(set).join("")}.build())`;
  return [
    times ? "import com.google.protobuf.util.Timestamps; // protobuf-java-util" : null,
    ...[`${short(call)}Grpc`, rpc.request, ...enums].sort().map((name) => `import ${javaPackage}.${name};`),
    "import io.grpc.ManagedChannelBuilder;", call.tokens ? "import io.grpc.Metadata;\nimport io.grpc.stub.MetadataUtils;" : null,
    `\nvar channel = ManagedChannelBuilder.forTarget(${quoted(call.grpc)})${call.tls ? "" : ".usePlaintext()"}.build();`,
    call.tokens ? 'var headers = new Metadata();\nheaders.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer " + token);' : null,
    rpc.streams ? `${ask}\n    .forEachRemaining(System.out::println);` : `System.out.println(${ask});`,
    "channel.shutdown();",
  ].filter((line) => line !== null).join("\n");
}

function kotlin(call) {
  const { rpc } = call;
  const value = (f, v) => ({
    int: () => v, time: () => `Timestamps.parseUnchecked(${kotlinQuoted(v)})`, enum: () => `${f.enum}.${v}`, enums: () => `${f.enum}.${v}`, string: () => kotlinQuoted(v),
  })[f.type]();
  const set = (f) => (f.type === "enums" ? f.value.map((v) => `${f.name} += ${value(f, v)}`).join("; ") : `${f.name} = ${value(f, f.value)}`);
  const enums = [...new Set(rpc.fields.filter((f) => f.enum).map((f) => f.enum))];
  const headers = call.tokens ? ", headers" : "";
  const ask = `stub.${camel(rpc.method)}(${camel(rpc.request)} { ${rpc.fields.map(set).join("; ")} }${headers})`;
  return [
    rpc.fields.some((f) => f.type === "time") ? "import com.google.protobuf.util.Timestamps // protobuf-java-util" : null,
    `import ${javaPackage}.${short(call)}GrpcKt.${short(call)}CoroutineStub`, ...[...enums, camel(rpc.request)].map((name) => `import ${javaPackage}.${name}`),
    "import io.grpc.ManagedChannelBuilder", call.tokens ? "import io.grpc.Metadata" : null, "import kotlinx.coroutines.runBlocking",
    "\nfun main() = runBlocking {",
    `    val channel = ManagedChannelBuilder.forTarget(${kotlinQuoted(call.grpc)})${call.tls ? "" : ".usePlaintext()"}.build()`,
    call.tokens ? '    val headers = Metadata()\n    headers.put(Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER), "Bearer $token")' : null,
    `    val stub = ${short(call)}CoroutineStub(channel)`,
    rpc.streams ? `    ${ask}.collect { println(it) }` : `    println(${ask})`,
    "    channel.shutdown()\n    Unit\n}",
  ].filter((line) => line !== null).join("\n");
}

function rust(call) {
  const { rpc } = call;
  const variant = (f, v) => withoutPrefix(f.enum, v).toLowerCase().split("_").map(pascal).join("");
  const value = (f) => ({
    int: () => f.value, time: () => `Some(${quoted(f.value)}.parse()?)`, enum: () => `v1::${f.enum}::${variant(f, f.value)} as i32`,
    enums: () => `vec![${f.value.map((v) => `v1::${f.enum}::${variant(f, v)} as i32`).join(", ")}]`, string: () => `${quoted(f.value)}.into()`,
  })[f.type]();
  const fields = rpc.fields.map((f) => `${snake(f.name)}: ${value(f)}, `).join("");
  const module = snake(short(call)).slice(1) + "_client";
  const message = `v1::${rpc.request} { ${fields}..Default::default() }`;
  const request = call.tokens ? "request" : message;
  return [
    "pub mod parley { pub mod v1 { tonic::include_proto!(\"parley.v1\"); } }",
    "pub mod google { pub mod api { tonic::include_proto!(\"google.api\"); } }",
    `use parley::v1::{self, ${module}::${short(call)}Client};\n`,
    "#[tokio::main(flavor = \"current_thread\")]",
    "async fn main() -> Result<(), Box<dyn std::error::Error>> {",
    `    let mut client = ${short(call)}Client::connect("${call.tls ? "https" : "http"}://${call.grpc}").await?;`,
    call.tokens ? `    let mut request = tonic::Request::new(${message});\n    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse()?);` : null,
    `    let ${rpc.streams ? "mut stream" : "answer"} = client.${snake(camel(rpc.method))}(${request}).await?.into_inner();`,
    rpc.streams ? "    while let Some(frame) = stream.message().await? {\n        println!(\"{frame:?}\");\n    }" : "    println!(\"{answer:?}\");",
    "    Ok(())\n}",
  ].filter((line) => line !== null).join("\n");
}

// languages are the snippets in the order of their buttons.
export const languages = { curl, grpcurl, Python: python, TypeScript: typescript, Go: go, Java: java, Kotlin: kotlin, Rust: rust };
