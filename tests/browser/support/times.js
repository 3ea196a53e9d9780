// Messages that are older than they are: the page is told other times than the
// server says.

/**
 * For `prepare` of a visit: what begins like `10:02 text` was said that day (or
 * on the day before, for `-1 10:02 text`) at that time, and reads `text`.
 */
export function withTimesOfDay(page) {
  return page.routeWebSocket(/./u, (socket) => {
    const server = socket.connectToServer();
    server.onMessage((frame) => socket.send(JSON.stringify(retold(JSON.parse(frame)))));
  });
}

function retold(event) {
  const messages = event.messages?.map(retold);
  const [, day = 0, hour, minute, text] = /^(?:(-\d+) )?(\d\d):(\d\d) (.*)$/u.exec(event.text) ?? [];
  if (!text) return { ...event, messages };
  const date = new Date();
  date.setDate(date.getDate() + Number(day));
  return { ...event, text, time: date.setHours(hour, minute, 0, 0) };
}
