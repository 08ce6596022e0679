// Elements made by script. Everything from the document or an answer is set as text, never as markup.

export function el(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value !== undefined) node.setAttribute(key, value);
  }
  node.append(...children.filter((c) => c !== undefined && c !== null));
  return node;
}

// prose turns `code` marks into code elements.
export function prose(text) {
  return (text || "").split(/(`[^`]+`)/).map((part) =>
    part.startsWith("`") && part.length > 2 ? el("code", {}, part.slice(1, -1)) : part);
}

// breakable lets a path wrap behind its slashes and before its verb.
export const breakable = (path) => path.split(/(?<=\/)|(?=:)/).flatMap((part, i) => (i ? [el("wbr"), part] : [part]));

// copyButton copies what text returns at the time of the click, and says so.
export function copyButton(text, label = "Copy") {
  const button = el("button", { type: "button", class: "copy" }, label);
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(text());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not allowed";
    }
    button.addEventListener("blur", () => { button.textContent = label; }, { once: true });
    button.addEventListener("pointerleave", () => { button.textContent = label; }, { once: true });
  });
  return button;
}
