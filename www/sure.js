// A button that asks back: the first press arms it, a second one soon after acts.

const CONFIRM_MS = 4000;

export function sure(button, question, act) {
  const label = button.textContent;
  let timer;
  const calm = () => {
    clearTimeout(timer);
    delete button.dataset.sure;
    button.textContent = label;
  };
  button.addEventListener('blur', calm);
  button.addEventListener('click', () => {
    if (button.dataset.sure === undefined) {
      button.dataset.sure = '';
      button.textContent = question;
      timer = setTimeout(calm, CONFIRM_MS);
      return;
    }
    calm();
    act();
  });
}
