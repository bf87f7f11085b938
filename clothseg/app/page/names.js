// Accessible names for Gradio's buttons around pictures, which have none.

const name = () => {
  all('#examples button.gallery-item:not([aria-label])').forEach((button, index) => {
    button.setAttribute('aria-label', `{{EXAMPLE}}`);
  });
  all('button:not([aria-label]):has(> .image-frame)').forEach((button) => {
    const label = button.closest('.block')?.querySelector('[data-testid=block-label]');
    button.setAttribute('aria-label', label?.innerText.trim() || '{{PICTURE}}');
  });
  // Gradio gives each radio button of a group a different name, so arrow keys do nothing and each is a tab stop.
  all('fieldset').forEach((group, place) => {
    for (const radio of group.querySelectorAll('input[type=radio]:not([name^=group])')) radio.name = `group-${place}`;
  });
  all('fieldset:not([aria-label])').forEach((group) => {
    const label = group.querySelector('[data-testid=block-info]')?.innerText.trim();
    if (label) group.setAttribute('aria-label', label);
  });
};
new MutationObserver(name).observe(document.body, {childList: true, subtree: true});
name();
