// Where images come from: the file chooser, the clipboard, drag and drop.

// takeImages calls take with each image that is given to the page.
export function takeImages(input, take) {
  input.addEventListener("change", () => {
    for (const file of input.files) take(file);
    input.value = ""; // the same file may be chosen again
  });
  addEventListener("paste", (event) => {
    const files = images(event.clipboardData);
    if (files.length === 0) return;
    event.preventDefault();
    files.forEach(take);
  });
  let depth = 0; // dragenter and dragleave come for each element on the way
  const show = (d) => {
    depth = d;
    document.body.classList.toggle("dragging", depth > 0);
  };
  addEventListener("dragenter", (event) => carries(event) && show(depth + 1));
  addEventListener("dragleave", (event) => carries(event) && show(Math.max(0, depth - 1)));
  addEventListener("dragover", (event) => {
    if (carries(event)) event.preventDefault(); // or else a drop would open the file
  });
  addEventListener("drop", (event) => {
    if (!carries(event)) return;
    event.preventDefault();
    show(0);
    [...event.dataTransfer.files].forEach(take);
  });
}

const carries = (event) => event.dataTransfer?.types.includes("Files");

const images = (data) => [...(data?.files ?? [])].filter((file) => file.type.startsWith("image/"));
