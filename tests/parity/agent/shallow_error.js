const fine = 1;
throw new TypeError('at the top');
