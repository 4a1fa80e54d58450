// A run that is still going on: ask what is new every second or so, show it, and open the finished page at its end.

const EVERY_MS = 1200;

export function follow(present, fail, tell) {
  let version = null;
  let misses = 0;
  const ask = async () => {
    try {
      const state = await (await fetch("state.json", { cache: "no-store" })).json();
      misses = 0;
      if (state.isFinished) return location.replace("viewer.html");
      tell(state.status);
      if (state.version !== version) {
        const asset = await (await fetch("asset-now.json", { cache: "no-store" })).json();
        await present(asset);
        version = state.version;
      }
    } catch (error) {
      if (++misses > 5) return fail("The run cannot be reached any more; `vid2three view` has ended.");
    }
    setTimeout(ask, EVERY_MS);
  };
  return ask();
}
