// Asks the browser to keep the page, so that it opens without the server. A browser that refuses loses nothing else.

export async function keepPage(): Promise<void> {
  if (!("serviceWorker" in navigator)) return
  try {
    await navigator.serviceWorker.register("/sw.js")
    await navigator.serviceWorker.ready
    document.documentElement.dataset.offline = "true"
  } catch (error) {
    console.info("The page will not open without the server:", error)
  }
}
