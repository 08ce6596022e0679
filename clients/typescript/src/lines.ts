/** Length of a line, in UTF-16 units, above which a stream is taken for something else than a gateway's. */
const maxLine = 256 << 20;

/** Reads the lines of a body, each as soon as it is asked for. A last line without its end is dropped: the connection broke within it. */
export async function* lines(reader: ReadableStreamDefaultReader<Uint8Array>): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  let parts: string[] = []; // of the line that has begun
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const text = decoder.decode(value, { stream: true });
    let from = 0;
    for (let end; (end = text.indexOf("\n", from)) >= 0; from = end + 1) {
      parts.push(text.slice(from, end));
      yield parts.join("");
      parts = [];
      length = 0;
    }
    parts.push(text.slice(from));
    length += text.length - from;
    if (length > maxLine) throw new RangeError("a line of the stream is too long");
  }
}
