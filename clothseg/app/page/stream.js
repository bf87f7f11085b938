// Gradio's client reads the answers to all its calls from one stream, which the server ends when no call is left. A
// call that reaches the server after that, but is accepted before the client has read the end, would never be answered,
// since the client opens no new stream for it. Therefore, this script continues the stream while calls are unanswered.

const unanswered = new Set(); // ids of the calls that the server has accepted
const fetchWithoutStream = window.fetch;
window.fetch = async (...request) => {
  const path = new URL(request[0]?.url || request[0], location.href).pathname;
  const next = path.endsWith('/queue/data') && new Request(...request);
  const answer = await fetchWithoutStream(...(next ? [next.clone()] : request));
  if (answer.ok && path.endsWith('/queue/join')) {
    const call = await answer.clone().json().catch(() => null);
    if (call?.event_id) unanswered.add(call.event_id);
  }
  if (!answer.ok || !next) return answer;
  return new Response(continued(answer, next), {status: answer.status, headers: answer.headers});
};
const continued = (answer, next) => {
  const readerOf = ({body}) => body.pipeThrough(new TextDecoderStream()).getReader();
  let reader = readerOf(answer);
  let rest = ''; // of an incomplete message
  const pull = async (controller) => {
    for (let sent = false; !sent; ) {
      const {value, done} = await reader.read();
      if (done) return controller.close();
      const messages = (rest + value).split(/(?<=\n\n)/);
      rest = messages.at(-1).endsWith('\n\n') ? '' : messages.pop();
      for (const message of messages) {
        const start = message.slice(0, 200); // the kind and the call come first
        if (start.includes('"process_completed"')) unanswered.delete(/"event_id": ?"([^"]+)"/.exec(start)?.[1]);
        if (start.includes('"unexpected_error"')) unanswered.clear();
        if (start.includes('"close_stream"') && unanswered.size) {
          const opened = await fetchWithoutStream(next.clone());
          if (!opened.ok) throw new TypeError(`The stream ended: ${opened.status}`);
          reader = readerOf(opened);
        } else {
          controller.enqueue(message);
          sent = true;
        }
      }
    }
  };
  const failing = (controller) =>
    pull(controller).catch((error) => {
      unanswered.clear();
      throw error;
    });
  const text = new ReadableStream({pull: failing, cancel: (reason) => reader.cancel(reason)});
  return text.pipeThrough(new TextEncoderStream());
};
