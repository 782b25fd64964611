document.querySelector("#app")!.textContent = "rendered";
