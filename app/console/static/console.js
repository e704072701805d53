// What a page does by itself. Everything that matters works without it.
"use strict";

// A form that was refused says so first.
for (const summary of document.querySelectorAll(".wrong-summary")) {
  summary.focus();
  break;
}

// A link to a field takes the keyboard there too.
document.addEventListener("click", (event) => {
  const link = event.target.closest(".wrong-summary a[href^='#']");
  const field = link && document.getElementById(link.hash.slice(1));
  if (!field) return;
  event.preventDefault();
  field.closest("details")?.setAttribute("open", "");
  field.scrollIntoView({ block: "center" });
  field.focus({ preventScroll: true });
});

// Sent once, and said when it takes longer than a second.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.getAttribute("aria-busy") === "true") {
    event.preventDefault();
    return;
  }
  form.setAttribute("aria-busy", "true");
  setTimeout(() => {
    const note = document.createElement("span");
    note.className = "busy";
    note.setAttribute("role", "status");
    note.textContent = "Sending …";
    form.append(note);
  }, 1000);
});
// Back from the next page: what was sent may be sent again.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[aria-busy]")) {
    form.removeAttribute("aria-busy");
    form.querySelector(".busy")?.remove();
  }
});

// To paper, where a browser can.
for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => print());
}

// Signed off after a quarter of an hour in which nobody did anything, and told two minutes before.
const idleSeconds = Number(document.body.dataset.idleSeconds || 0);
if (idleSeconds) {
  const dialog = document.getElementById("idle");
  let seen = Date.now();
  let told = Date.now();
  const stay = () => {
    seen = told = Date.now();
    fetch("/console/still-here", { credentials: "same-origin", redirect: "error" }).catch(() => {});
  };
  const somebody = () => {
    if (dialog.open) return;
    seen = Date.now();
    if (seen - told > 60_000) stay();
  };
  for (const kind of ["keydown", "pointerdown", "wheel", "touchstart"]) {
    addEventListener(kind, somebody, { passive: true });
  }
  document.getElementById("idle-stay").addEventListener("click", () => {
    dialog.close();
    stay();
  });
  dialog.addEventListener("cancel", stay);
  setInterval(() => {
    const still = (Date.now() - seen) / 1000;
    if (still >= idleSeconds) {
      location.replace("/console/sign-in?next=" + encodeURIComponent(location.pathname + location.search));
    } else if (still >= idleSeconds - 120 && !dialog.open) {
      dialog.showModal();
    }
  }, 1000);
}

// The inbox, live: an event says that something changed, and the list is asked for again.
const live = document.getElementById("live");
const inbox = document.querySelector("#inbox[data-live]");
if (live && inbox && "EventSource" in window) {
  const title = document.title;
  let source;
  let asking = false;
  let again = false;
  const say = (text, state) => {
    live.className = "live" + (state ? " " + state : "");
    if (live.textContent !== text) live.textContent = text;
  };
  const list = async (isNews) => {
    if (asking) {
      again = true;
      return;
    }
    asking = true;
    try {
      const answer = await fetch(live.dataset.list, { credentials: "same-origin", redirect: "error" });
      if (!answer.ok) throw new Error("not listed");
      const focused = document.activeElement && document.activeElement.id;
      inbox.innerHTML = await answer.text();
      if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
      const open = inbox.querySelectorAll(".flag").length;
      document.title = (open ? `(${open}) ` : "") + title;
      say(isNews ? "Live. A flag was raised or changed just now." : "Live. Changes appear here by themselves.", "live-on");
    } catch {
      say("Not live: the list may be old. Load the page again.", "live-off");
    } finally {
      asking = false;
      if (again) {
        again = false;
        list(true);
      }
    }
  };
  const follow = () => {
    source = new EventSource(live.dataset.stream);
    source.addEventListener("live", () => list(false));
    source.addEventListener("flag", () => list(true));
    source.addEventListener("gone", () => list(true));
    source.addEventListener("interrupted", () => say("Changes are not heard right now. Waiting …", "live-off"));
    source.addEventListener("error", () => {
      if (source.readyState === EventSource.CLOSED) {
        say("Not live: the list may be old. Trying again …", "live-off");
        setTimeout(follow, 15_000);
      } else {
        say("The connection was lost. Connecting again …", "live-off");
      }
    });
  };
  follow();
  addEventListener("pagehide", () => source.close());
}
